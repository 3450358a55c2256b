"""What README and docs name is there: links, tools, configs, make targets, python names."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'benchmarks').glob('*.md'))]
LINK = re.compile(r'\]\((?!https?:)([^)#]+)')
FILE = re.compile(r'\b(?:tools|configs|benchmarks|docs|tests|mobileone_mm)/[\w./-]+\.(?:py|md)\b')
TARGET = re.compile(r'\bmake ([a-z]+)\b')
NAME = re.compile(r'\bmobileone_mm(?:\.[a-z_]+)+')
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
    targets = set(re.findall(r'^([a-z]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    code = '\n'.join(re.findall(r'`[^`]+`|^ {4}.*|```.*?```', page.read_text(), re.MULTILINE | re.DOTALL))
    assert set(TARGET.findall(code)) <= targets


def test_python_names_in_the_readme_exist() -> None:
    for name in found(NAME, ROOT / 'README.md') - {'mobileone_mm.doctor.report'}:
        module, _, attribute = name.rpartition('.')
        assert hasattr(importlib.import_module(module), attribute), name


def test_the_readme_begins_with_the_two_commands() -> None:
    first_screen = (ROOT / 'README.md').read_text().splitlines()[:12]
    commands = [line.split('#')[0].strip() for line in first_screen if line.startswith('make ')]
    assert commands == ['make demo', 'make test']
