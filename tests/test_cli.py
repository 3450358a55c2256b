"""What a tool's exit status, streams and report file say."""

import io
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mobileone_mm import __version__, cli
from mobileone_mm.errors import CheckpointError, MobileOneError, UsageError


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


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.run(raising(ZeroDivisionError()))


@pytest.mark.parametrize('status', [0, 1, 2])
def test_the_arguments_go_in_and_the_status_comes_out(status: int) -> None:
    assert cli.run(lambda argv: len(argv or ()), ['x'] * status) == status


def test_results_go_to_stdout_and_messages_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    cli.say('reading')
    cli.next_command('make test')
    assert capsys.readouterr() == ('next: make test\n', 'reading\n')


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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
