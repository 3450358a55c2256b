"""What README and docs name is there: links, tools, configs, make targets, python names."""

import ast
import importlib
import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

import pytest

from mobileone_mm import __version__

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'benchmarks').glob('*.md'))]
LINK = re.compile(r'\]\((?!https?:)([^)#]+)')
FILE = re.compile(r'\b(?:tools|configs|benchmarks|docs|tests|mobileone_mm)/[\w./-]+\.(?:py|md)\b')
TARGET = re.compile(r'(?:^ *|`)make ([a-z-]+)\b', re.MULTILINE)  # a command: on a line of its own, or in backticks
NAME = re.compile(r'\bmobileone_mm(?:\.[a-z_]+)+')
SYMPTOM = re.compile(r'^\| (.*?) \|', re.MULTILINE)  # the first cell of a row
OF_OTHERS = {  # what users see that is no message of ours
    '--limit 20',
    "'SSDHead' object has no attribute 'loss_cls'",
    'C++20 or later compatible compiler is required to use ATen',
    'CalledProcessError',
    'Found no NVIDIA driver',
    'MMCV==... is used but incompatible',
    "No module named 'mmcv._ext'",
    "No module named 'pkg_resources'",
    'No space left on device',
    'PytorchStreamWriter failed writing file',
    'Unsupported global: GLOBAL mmengine.logging.history_buffer.HistoryBuffer',
    'Weights only load failed',
    'inf',
    'is only available training on gpu',
    'libGL.so.1: cannot open shared object file',
    'mim test',
    'mim',
    'mobileone: command not found',
    'mobileone_mm.MobileOne is not in the ... registry',
    'nan',
    'operator torchvision::nms does not exist',
    'unused_3',
}
USERS_OWN = {'configs/detection/my_set.py'}  # what docs/own_data.md tells the reader to make


def found(pattern: re.Pattern[str], page: Path) -> set[str]:
    return set(pattern.findall(page.read_text()))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page: Path) -> None:
    missing = {link for link in found(LINK, page) if not (page.parent / link).exists()}
    missing |= {name for name in found(FILE, page) - USERS_OWN if not (ROOT / name).exists()}
    assert not missing


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    code = '\n'.join(re.findall(r'`[^`]+`|^ {4}.*|```.*?```', page.read_text(), re.MULTILINE | re.DOTALL))
    assert set(TARGET.findall(code)) <= targets


def test_the_package_is_installed_from_its_wheel_with_extras_that_it_has() -> None:
    wheel = f'mobileone_mm-{__version__}-py3-none-any.whl'
    commands = {
        (page.name, *command)
        for page in PAGES
        for command in re.findall(r"pip install '([^'\[]+)\[([a-z]+)\]'", page.read_text())
    }
    assert {page for page, *_ in commands} >= {'README.md', 'install.md', 'onnx.md', 'robustness.md', 'train.md'}
    assert {given for _, given, _ in commands} == {wheel}
    assert {extra for *_, extra in commands} <= set(metadata('mobileone-mm').get_all('Provides-Extra', []))


def test_python_names_in_the_readme_exist() -> None:
    for name in found(NAME, ROOT / 'README.md') - {'mobileone_mm.doctor.report'}:
        module, _, attribute = name.rpartition('.')
        assert hasattr(importlib.import_module(module), attribute), name


def test_the_readme_begins_with_the_two_commands() -> None:
    first_screen = (ROOT / 'README.md').read_text().splitlines()[:12]
    commands = [line.split('#')[0].strip() for line in first_screen if line.startswith('make ')]
    assert commands == ['make demo', 'make test']


def texts_of(module: Path) -> Iterator[str]:
    """The texts of a module, with a line break where a value is filled in."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.JoinedStr):
            yield ''.join(part.value if isinstance(part, ast.Constant) else '\n' for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_messages_of_the_troubleshooting_page_are_those_of_the_code() -> None:
    texts = '\n'.join(text for module in (ROOT / 'mobileone_mm').rglob('*.py') for text in texts_of(module))
    cells = SYMPTOM.findall((ROOT / 'docs/troubleshooting.md').read_text())
    messages = {message for cell in cells for message in re.findall(r'`([^`]+)`', cell)}
    assert messages >= OF_OTHERS
    assert [m for m in messages - OF_OTHERS if not all(part in texts for part in m.split('...'))] == []
