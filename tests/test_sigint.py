"""Ctrl-C, remembered: where it is, and whose handler is in place before, meanwhile and after."""

import signal
import threading
from collections.abc import Iterator

import pytest

from mobileone_mm.sigint import remembered


@pytest.fixture(autouse=True)
def pythons_own() -> Iterator[None]:
    """Python's own handler, as a process starts with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_every_press_interrupts_and_is_remembered() -> None:
    with remembered() as pressed:
        for count in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert pressed == [signal.SIGINT] * count
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_pythons_own_handler_is_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), remembered():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize('handler', [signal.SIG_IGN, lambda *_: None])
def test_another_handler_is_left_in_place(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGINT, handler)
    with remembered() as pressed:
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is handler
    assert (pressed, signal.getsignal(signal.SIGINT)) == ([], handler)


def test_a_handler_that_the_block_installs_stays() -> None:
    with remembered():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_thread_has_no_handler_to_install() -> None:
    found = []

    def work() -> None:
        with remembered() as pressed:
            found.append((pressed, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [([], signal.default_int_handler)]
