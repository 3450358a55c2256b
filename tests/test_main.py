"""The console script: which verbs there are, what each says of itself, and what is said of a word that is none."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mobileone_mm import __version__, cli
from mobileone_mm.__main__ import VERBS, main, module_of
from mobileone_mm.errors import INTERRUPTED, UsageError

HERE = [verb for verb in VERBS if find_spec(module_of(verb)) is not None]


def typed(*words: str, cwd: Path) -> 'subprocess.CompletedProcess[str]':
    """As at a terminal that knows ASCII alone."""
    command = [sys.executable, '-m', 'mobileone_mm', *words]
    environment = {**os.environ, 'LC_ALL': 'C', 'PYTHONIOENCODING': 'ascii:strict'}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


PRESSED = """
import runpy
import signal
import sys

class Presses:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != {name!r}:
            return
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise {raised}

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where this was started in the background
assert {name!r} not in sys.modules
sys.meta_path.insert(0, Presses)
sys.argv = ['mobileone', 'export', '--help']
"""
ENTRIES = [
    'from mobileone_mm.__main__ import main; sys.exit(main())',  # the console script
    'runpy.run_module("mobileone_mm", run_name="__main__", alter_sys=True)',  # -m
]


@pytest.mark.parametrize('entry', ENTRIES, ids=['script', '-m'])
@pytest.mark.parametrize(
    ('name', 'raised'),
    [
        ('difflib', 'error'),
        ('mobileone_mm.cli', 'error'),
        ('argparse', 'error'),
        ('argparse', 'RuntimeError("Error calling __set_name__") from error'),  # as Python 3.11 does in a class
        ('mobileone_mm.commands.export', 'error'),
    ],
)
def test_a_key_pressed_while_a_verb_is_still_being_imported_stops(
    name: str, raised: str, entry: str, tmp_path: Path
) -> None:
    command = [sys.executable, '-c', PRESSED.format(name=name, raised=raised) + entry]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, '', 'stopped\n')


def test_what_fails_without_a_key_pressed_is_raised(tmp_path: Path) -> None:
    code = 'import sys; sys.modules["argparse"] = None; ' + ENTRIES[0]
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, 'import of argparse halted' in done.stderr) == (1, True)


def test_every_verb_has_its_module() -> None:
    assert list(VERBS) == HERE


@pytest.mark.parametrize('verb', HERE)
def test_a_verbs_help_opens_with_an_example_of_itself_and_loads_nothing_heavy(verb: str, tmp_path: Path) -> None:
    for heavy in ('torch', 'numpy', 'cv2', 'mmengine', 'mmdet', 'coremltools'):
        (tmp_path / f'{heavy}.py').write_text('raise ImportError("the help has to do without")\n')
    done = typed(verb, '--help', cwd=tmp_path)  # which `-m` puts first on the path
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith('example: ')
    assert f' {verb} ' in done.stdout.splitlines()[0] + ' '
    assert '%(prog)s' not in done.stdout


@pytest.mark.parametrize('verb', HERE)
def test_a_wrong_option_is_wrong_usage_and_says_of_which_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='2'):
        main([verb, '--no-such-option=x'])
    assert capsys.readouterr().err.splitlines()[-1].startswith(f'{cli.command(verb)}: error: ')


def test_the_help_opens_with_an_example_and_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--help']) == 0
    printed = capsys.readouterr()
    first, *lines = printed.out.splitlines()
    assert first.removeprefix('example: ') in {cli.command(verb) for verb in VERBS}
    assert printed.err == ''
    for verb, said in VERBS.items():
        assert [line.split(maxsplit=1) for line in lines if line.startswith(f'  {verb} ')] == [[verb, said]]


def test_without_a_verb_the_help_is_shown_and_it_was_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == UsageError.exit_status
    printed = capsys.readouterr()
    assert printed.out == ''
    assert printed.err.startswith('example: ')


@pytest.mark.parametrize(
    ('word', 'meant'),
    [
        ('exprot', 'did you mean: {} export'),
        ('toydata', 'did you mean: {} toy-data'),
        ('xyz', 'all of them: {} --help'),
    ],
)
def test_a_word_that_is_no_verb_gets_the_nearest(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == UsageError.exit_status
    program = cli.command('').removesuffix(" ''")
    assert capsys.readouterr().err == f'error: {word}: no such command; {meant.format(program)}\n'


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--version']) == 0
    assert capsys.readouterr().out == f'{__version__}\n'


def test_a_failure_inside_a_verb_becomes_one_line_and_its_status(tmp_path: Path) -> None:
    done = typed('init', 'a.py', '--from', 'ssd_mobileone_s0', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('error: ssd_mobileone_s0: ')
    assert done.stderr.count('\n') == 1
