"""What a command's exit status, streams, log and report file say, and the commands it names."""

import io
import json
import logging
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from mmengine.config import Config

from mobileone_mm import __version__, cli
from mobileone_mm.errors import INTERRUPTED, CheckpointError, ExportError, MobileOneError, UsageError


def raising(error: BaseException) -> Callable[[Sequence[str] | None], int]:
    def main(argv: Sequence[str] | None = None) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ('error', 'status', 'message'),
    [
        (MobileOneError('it failed'), 1, 'error: it failed\n'),
        (CheckpointError('no key'), 1, 'error: no key\n'),
        (UsageError('no such option'), 2, 'error: no such option\n'),
        (FileNotFoundError(2, 'No such file', 'x.pth'), 1, "error: [Errno 2] No such file: 'x.pth'\n"),
        (KeyboardInterrupt(), 130, 'stopped\n'),
    ],
)
def test_what_is_the_users_becomes_one_line_and_a_status(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(raising(error)) == status
    assert capsys.readouterr() == ('', message)


def test_a_key_pressed_before_anything_has_begun_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pressed(io.TextIOWrapper):
        def reconfigure(self, **_: object) -> None:  # what a command does first
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, 'stdout', Pressed(io.BytesIO()))
    assert cli.run(raising(ZeroDivisionError())) == INTERRUPTED
    assert capsys.readouterr().err == 'stopped\n'


def test_what_nobody_foresaw_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv('MOBILEONE_MM_TRACEBACKS', raising=False)
    assert cli.run(raising(ZeroDivisionError('by\nnothing'))) == 1
    assert capsys.readouterr() == ('', 'error: ZeroDivisionError: by nothing (a defect; --traceback shows where)\n')
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()), ['x', '--traceback'])
    assert cli.run(raising(ZeroDivisionError()), ['x']) == 1
    monkeypatch.setenv('MOBILEONE_MM_TRACEBACKS', '1')
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


@pytest.mark.parametrize('words', [[], ['--traceback']])
@pytest.mark.parametrize('error', ['ZeroDivisionError()', 'MemoryError()', 'RecursionError()', 'StopIteration()'])
def test_what_nobody_foresaw_never_ends_with_status_0(words: list[str], error: str) -> None:
    code = f"""
from mobileone_mm import cli

def main(argv):
    cli.parser('verify', 'example: x').parse_args(argv)
    raise {error}

raise SystemExit(cli.run(main))
"""
    done = subprocess.run([sys.executable, '-c', code, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, 'Traceback' in done.stderr) == (1, bool(words))


def test_a_command_may_keep_its_tracebacks_and_the_next_one_has_none() -> None:
    def main(argv: Sequence[str] | None = None) -> int:
        cli.keep_tracebacks()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cli.run(main)
    assert cli.run(raising(ZeroDivisionError())) == 1


@pytest.mark.parametrize('wrapped', [False, True])
def test_a_key_pressed_while_mmengine_formats_a_config_stops(
    wrapped: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr('mmengine.config.config.FormatCode', pressed)

    def main(argv: Sequence[str] | None = None) -> int:
        try:
            return len(Config({'a': 1}).pretty_text)
        except SyntaxError as error:
            if wrapped:
                raise MobileOneError('cannot be written') from error
            raise

    assert cli.run(main) == 130
    assert capsys.readouterr() == ('', 'stopped\n')


@pytest.mark.parametrize('words', [[], ['--traceback']])
def test_a_key_pressed_in_an_import_that_reports_something_else_stops(words: list[str], tmp_path: Path) -> None:
    (tmp_path / 'heavy.py').write_text("""
import signal
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    pass
raise ImportError('you should not import heavy from its source directory')
""")
    code = """
from mobileone_mm import cli

def main(argv):
    import heavy

raise SystemExit(cli.run(main))
"""
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, '-c', code, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, '', 'stopped\n')


@pytest.mark.parametrize('encoding', ['ascii', 'utf-8', 'latin-1'])
def test_names_that_a_terminal_does_not_know_are_printed(encoding: str) -> None:
    code = """
from mobileone_mm import cli
from mobileone_mm.errors import MobileOneError

def main(argv):
    for name in ('K\\xe4se', 'b\\udce4r', '\\u732b'):
        cli.result(name)
        cli.say(name)
        cli.next_command(cli.command('train', name))
    raise MobileOneError('b\\udce4r: no picture')

raise SystemExit(cli.run(main))
"""
    environment = {**os.environ, 'PYTHONIOENCODING': f'{encoding}:strict'}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, env=environment, check=False)
    assert done.returncode == 1
    assert b'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == b'error: b\\udce4r: no picture'
    assert len(done.stdout.splitlines()) == 6


NAMES = ('K\xe4se', "b\udce4r's \\ 7", '\u732b 1\xe92', 'two\nlines', '\x1b[2J', 'plain', "a b's", '$HOME')


@pytest.mark.parametrize('encoding', ['ascii', 'utf-8', 'latin-1'])
@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_the_next_command_can_be_pasted_whatever_the_terminal_can_show(shell: str, encoding: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f'no {shell} here')
    code = """
import os, sys
from mobileone_mm import cli

def main(argv):
    cli.next_command(cli.command('train', *argv))
    return 0

raise SystemExit(cli.run(main, sys.argv[1:]))
"""
    environment = {**os.environ, 'PYTHONIOENCODING': f'{encoding}:strict'}
    done = subprocess.run([sys.executable, '-c', code, *NAMES], capture_output=True, env=environment, check=True)
    (line,) = done.stdout.splitlines()
    pasted = b'set -- ' + line.removeprefix(b'next: ') + b'; shift; printf \'%s\\0\' "$@"'
    said = subprocess.run([shell, '-c', pasted], capture_output=True, check=True).stdout.split(b'\0')
    assert said[said.index(b'train') + 1 : -1] == [os.fsencode(name) for name in NAMES]
    assert line.endswith(b""" plain 'a b'"'"'s' '$HOME'""")


@pytest.mark.parametrize('status', [0, 1, 2])
def test_the_arguments_go_in_and_the_status_comes_out(status: int) -> None:
    assert cli.run(lambda argv: len(argv or ()), ['x'] * status) == status


def test_results_go_to_stdout_and_messages_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    cli.say('reading')
    cli.next_command('make test')
    assert capsys.readouterr() == ('next: make test\n', 'reading\n')


def raising_with_options(message: str) -> Callable[[Sequence[str] | None], int]:
    def main(argv: Sequence[str] | None = None) -> int:
        parser = cli.parser('export', 'example: %(prog)s x')
        parser.add_argument('config')
        parser.add_argument('-s', '--input-size')
        parser.add_argument('--no-class-padding', dest='pad_classes', action='store_false')
        parser.parse_args(argv)
        raise UsageError(message)

    return main


@pytest.mark.parametrize(
    ('message', 'printed'),
    [
        ('`input_size` 0: expected pixels', '--input-size 0: expected pixels'),
        ('`input_size` and `pad_classes`', '--input-size and --no-class-padding'),
        ('no `model`, `_base_` or `config`', 'no `model`, `_base_` or `config`'),  # none of them is an option
    ],
)
def test_an_option_in_an_error_is_named_by_its_flag(
    message: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(raising_with_options(message), ['x']) == 2
    assert capsys.readouterr().err == f'error: {printed}\n'


def test_what_the_library_logs_is_printed_once_on_stderr_and_only_while_a_command_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger('mobileone_mm.some.module')
    root = logging.StreamHandler()
    logging.getLogger().addHandler(root)  # as a library's basicConfig() leaves one

    def main(argv: Sequence[str] | None = None) -> int:
        logger.debug('details')
        logger.info('reading %d files', 3)
        logger.warning('one is empty')
        raise MobileOneError('none is left')

    try:
        assert cli.run(main) == 1
    finally:
        logging.getLogger().removeHandler(root)
    assert capsys.readouterr() == ('', 'reading 3 files\nwarning: one is empty\nerror: none is left\n')
    assert not logger.isEnabledFor(logging.INFO)
    assert not logging.getLogger('mobileone_mm').handlers


def test_the_help_opens_with_the_example_and_mistakes_show_it_and_name_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = cli.parser('verify', 'example: %(prog)s a.mlpackage\n\nChecks it.')
    parser.add_argument('artifact')
    assert parser.format_help().startswith(f'example: {cli.command("verify")} a.mlpackage\n\nChecks it.\n')
    with pytest.raises(SystemExit, match='2'):
        parser.parse_args([])
    command = cli.command('verify')
    assert capsys.readouterr() == (
        '',
        f'example: {command} a.mlpackage\n{command}: error: the following arguments are required: artifact\n',
    )


def script(folder: Path) -> Path:
    """A file like the console script; it says where it lies."""
    folder.mkdir(exist_ok=True)
    path = folder / 'mobileone'
    path.write_text(f'#!/bin/sh\necho {shlex.quote(str(folder))} "$@"\n')
    path.chmod(0o755)
    return path


def environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Run, for what follows, by an interpreter in `folder`, which is a real one."""
    folder.mkdir()
    interpreter = folder / 'python'
    interpreter.symlink_to(sys.executable)
    monkeypatch.setattr(sys, 'executable', str(interpreter))
    return interpreter


def test_a_command_is_the_script_where_it_is_the_running_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, tmp_path / 'bin')
    script(tmp_path / 'bin')
    monkeypatch.setenv('PATH', f'{tmp_path / "bin"}:{os.environ["PATH"]}')
    line = cli.command('verify', tmp_path / 'a b.mlpackage', '--image', "it's.jpg")
    printed = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert line.startswith('mobileone verify ')
    assert printed == f"{tmp_path / 'bin'} verify {tmp_path / 'a b.mlpackage'} --image it's.jpg\n"


def test_a_link_to_the_running_environments_script_counts_as_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pipx leaves one in ~/.local/bin."""
    environment(monkeypatch, tmp_path / 'bin')
    script(tmp_path / 'bin')
    (tmp_path / 'linked').mkdir()
    (tmp_path / 'linked/mobileone').symlink_to(tmp_path / 'bin/mobileone')
    monkeypatch.setenv('PATH', f'{tmp_path / "linked"}:{os.environ["PATH"]}')
    assert cli.command('demo') == 'mobileone demo'


def test_another_environments_script_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(monkeypatch, tmp_path / 'bin')  # without a script
    script(tmp_path / 'other')
    monkeypatch.setenv('PATH', f'{tmp_path / "other"}:{os.environ["PATH"]}')
    monkeypatch.chdir(tmp_path)
    assert cli.command('train', 'my_set.py') == 'bin/python -m mobileone_mm train my_set.py'


@pytest.mark.parametrize(
    ('stands', 'program'),
    [('.', 'bin/python'), ('bin', './python'), ('elsewhere', '../bin/python'), ('a/' * 60, '{tmp_path}/bin/python')],
)
def test_the_interpreter_is_named_by_the_shorter_path(
    stands: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, tmp_path / 'bin')
    monkeypatch.setenv('PATH', '/usr/bin:/bin')
    (tmp_path / stands).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / stands)
    program = program.format(tmp_path=tmp_path)
    assert cli.command('train') == f'{program} -m mobileone_mm train'
    assert subprocess.run(f'command -v {program}', shell=True, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ('stands', 'program'),
    [
        ('.', '.venv/bin/mobileone'),
        ('.venv/bin', './mobileone'),
        ('elsewhere', '../.venv/bin/mobileone'),
        ('a/' * 60, '{tmp_path}/.venv/bin/mobileone'),
    ],
)
def test_the_script_of_an_environment_that_is_not_active_is_named_by_the_shorter_path(
    stands: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / '.venv').mkdir()
    environment(monkeypatch, tmp_path / '.venv/bin')
    script(tmp_path / '.venv/bin')
    script(tmp_path / 'other')  # of another environment, which is active
    monkeypatch.setenv('PATH', f'{tmp_path / "other"}:/usr/bin:/bin')
    (tmp_path / stands).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / stands)
    line = cli.command('train', 'my set.py')
    assert line == f"{program.format(tmp_path=tmp_path)} train 'my set.py'"
    printed = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
    assert printed == f'{tmp_path}/.venv/bin train my set.py\n'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_facts_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    cli.fact('config', 'tiny.py')
    cli.fact('work dir', Path('work'))
    assert capsys.readouterr() == ('', 'config    tiny.py\nwork dir  work\n')


def test_a_meter_says_what_it_is_told_when_it_is_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 10.0, 40.0])  # at the start and at each step
    monkeypatch.setattr(time, 'monotonic', lambda: next(seconds))
    meter = cli.Meter(8)
    meter.step(1, lambda left: pytest.fail('too early'))
    meter.step(4, lambda left: f'half of it, {left:.0f} s left')
    meter.clear()
    assert capsys.readouterr() == ('', 'half of it, 40 s left\n')


def test_progress_is_a_bar_at_a_terminal_and_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, 'BAR_INTERVAL', 0)
    monkeypatch.setattr(sys, 'stderr', terminal := Terminal())
    assert list(cli.progress('abc', 'letters')) == ['a', 'b', 'c']
    *shown, last = terminal.getvalue().split('\r')
    bars = ['#' * 10 + '.' * 20, '#' * 20 + '.' * 10, '#' * 30]
    assert shown == [f'{bar} {done} of 3 letters, 0 s left\033[K' for done, bar in enumerate(bars, 1)]
    assert last == '\033[K'


def test_a_message_covers_the_bar_of_stopped_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'stderr', terminal := Terminal())
    cli.say('stopped')
    assert terminal.getvalue() == '\033[Kstopped\n'


def test_progress_is_a_line_now_and_then_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([0.0, 20.0, 40.0, 60.0, 80.0])  # at the start and after each item
    monkeypatch.setattr(time, 'monotonic', lambda: next(seconds))
    assert list(cli.progress([5, 6, 7, 8], 'pictures')) == [5, 6, 7, 8]
    assert capsys.readouterr() == ('', '2 of 4 pictures, 40 s left\n4 of 4 pictures, 0 s left\n')


def test_a_report_is_sorted_json_with_an_end_of_line(tmp_path: Path) -> None:
    path = tmp_path / 'report.json'
    cli.write_report(path, {'b': 1, 'a': [0.5, None]})
    text = path.read_text()
    assert json.loads(text) == {'written_by': f'mobileone_mm {__version__}', 'a': [0.5, None], 'b': 1}
    assert text.index('"written_by"') < text.index('"a"') < text.index('"b"')
    assert text.endswith('}\n')


def test_a_report_with_nan_is_refused_and_the_old_one_kept(tmp_path: Path) -> None:
    path = tmp_path / 'report.json'
    cli.write_report(path, {'loss': 1})
    with pytest.raises(ValueError, match='not JSON compliant'):
        cli.write_report(path, {'loss': math.nan})  # NaN is no JSON: other readers would choke on it
    assert json.loads(path.read_text())['loss'] == 1


def test_what_stands_in_a_file_does_not_reach_the_terminal_as_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_argv: Sequence[str] | None) -> int:
        cli.result('a\x1b[2Jb\nc\u202ed')
        cli.next_command('mobileone verify \x9b1mx')
        raise ExportError('bad \x07 \ud800 name')

    assert cli.run(main) == 1
    out, err = capsys.readouterr()
    assert out == 'a\\x1b[2Jb\nc\\u202ed\nnext: mobileone verify \\x9b1mx\n'
    assert err == 'error: bad \\x07 \\ud800 name\n'
