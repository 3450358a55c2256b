"""Which log entries become lines on the screen."""

import logging
from typing import Any

import pytest

from mobileone_mm.openmmlab.log import on_screen
from mobileone_mm.training import notes


def record(level: int, message: str, *args: object, **extra: Any) -> logging.LogRecord:
    return logging.getLogger('any').makeRecord('any', level, 'file.py', 1, message, args, None, extra=extra)


@pytest.mark.parametrize(
    ('entry', 'line'),
    [
        (record(logging.WARNING, 'dropped %d boxes', 3), 'warning: dropped 3 boxes'),
        (record(logging.ERROR, 'sync_bn\n  is wrong'), 'warning: sync_bn is wrong'),
        (record(logging.WARNING, ''), 'warning: '),
        (record(logging.INFO, 'Config:'), None),
        (record(logging.INFO, 'long and exact', **on_screen('short')), 'short'),
        (record(logging.WARNING, '"FileClient" will be deprecated in future.'), None),
        (record(logging.WARNING, 'The prefix is not set in metric class IoUMetric.'), None),
        (record(logging.WARNING, 'Image shapes are different in the batch.'), None),
        (record(logging.WARNING, '\x1b[1mbold\x1b[0m words'), 'warning: bold words'),
    ],
)
def test_what_a_user_has_to_know_is_shown(entry: logging.LogRecord, line: str | None) -> None:
    assert notes.line_for(entry) == line


def test_a_long_entry_is_cut_and_says_where_the_rest_is() -> None:
    text = 'word ' * 100
    assert notes.short_line(text) == f'{text[: notes.LONGEST]} ... (all of it is in the log)'
    assert notes.short_line('word\n' * 3) == 'word word word'
