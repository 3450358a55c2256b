"""Limits that a model's own rounding widens: by how much, how far at most, and what is said of it."""

import logging
import math

import pytest

from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.room import FLOAT16, FLOAT32, ROOM, Noise, widened

MOST = {'score': 0.5, 'px': 16.0}


def rung(value: float | None, limit: float = 0.02, unit: str = 'score') -> Rung:
    return Rung('a -> b', value, limit, unit, psnr_db=60.0)


def one(made: Rung, step: str, noise: Noise) -> Rung:
    (wide,) = widened([made], step, noise, MOST)
    return wide


@pytest.mark.parametrize(
    'noise', [{}, {FLOAT16: {}}, {FLOAT16: {'px': 1.0}}, {FLOAT16: {'score': 0.02 / ROOM[FLOAT16]}}]
)
@pytest.mark.parametrize('value', [0.0, 0.02, 0.03, math.nan, None])
def test_a_model_that_rounds_little_has_the_limit_of_the_table(value: float | None, noise: Noise) -> None:
    made = rung(value)
    assert one(made, FLOAT16, noise) is made


@pytest.mark.parametrize('value', [0.03, 0.1, 0.2])
def test_the_limit_follows_the_rounding_and_not_the_value(value: float) -> None:
    wide = one(rung(value), FLOAT16, {FLOAT16: {'score': 0.031}})
    assert wide.limit == 0.13  # 4 times as much, to two digits upwards
    assert wide.holds == (value < 0.13)
    assert wide.note == 'limit 0.02 widened: rounding to float16 alone moves what this model gives by 0.031 score'
    assert wide.psnr_db == 60


@pytest.mark.parametrize(
    ('step', 'noise', 'expected'),
    [
        ('graph', {FLOAT32: {'score': 0.01}, FLOAT16: {'score': 0.1}}, 0.08),
        ('float32', {FLOAT32: {'score': 0.01}, FLOAT16: {'score': 0.1}}, 0.08),
        ('float16', {FLOAT32: {'score': 0.01}, FLOAT16: {'score': 0.1}}, 0.4),
        ('int8', {FLOAT32: {'score': 0.01}, FLOAT16: {'score': 0.1}}, 0.4),
        ('int8', {FLOAT32: {'score': 0.01}}, 0.08),
    ],
)
def test_each_step_has_the_rounding_of_its_type(step: str, noise: Noise, expected: float) -> None:
    assert one(rung(0.03), step, noise).limit == pytest.approx(expected)


@pytest.mark.parametrize('step', [FLOAT16, FLOAT32])
def test_a_limit_that_holds_as_it_is_stays_so(step: str) -> None:
    made = rung(0.02)
    assert one(made, step, {step: {'score': 0.3}}) is made


def test_beyond_what_says_anything_float16_fails_and_float32_is_not_judged() -> None:
    half = one(rung(0.6), FLOAT16, {FLOAT16: {'score': 0.3}})
    assert (half.value, half.limit, half.holds) == (0.6, 0.5, False)
    full = one(rung(0.6), FLOAT32, {FLOAT32: {'score': 0.3}})
    assert (full.value, full.limit, full.psnr_db) == (None, 0.5, None)
    assert full.note.startswith('not run: rounding to float32 alone moves what this model gives by 0.3 score, too much')
    judged = one(rung(0.4), FLOAT32, {FLOAT32: {'score': 0.3}})
    assert (judged.value, judged.limit, judged.holds) == (0.4, 0.5, True)


def test_what_is_no_number_fails_however_wide_the_limit() -> None:
    for step in (FLOAT16, FLOAT32):
        wide = one(rung(math.nan), step, {step: {'score': 0.3}})
        assert wide.value is not None
        assert not wide.holds


def test_who_holds_in_a_widened_limit_alone_is_told(caplog: pytest.LogCaptureFixture) -> None:
    noise = {FLOAT32: {'score': 0.1, 'px': 2.0}, FLOAT16: {'score': 0.1, 'px': 2.0}}
    with caplog.at_level(logging.WARNING):
        made = widened([rung(0.3), rung(5.0, 1.0, 'px')], FLOAT16, noise, MOST)
    assert [wide.rounding for wide in made] == [FLOAT16, FLOAT16]
    (record,) = caplog.records
    assert 'off by 0.3 score and 5 px, as rounding to float16 alone does' in record.getMessage()
    assert '`precision` fp32' in record.getMessage()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        within = widened([rung(0.01)], FLOAT16, noise, MOST)
        full = widened([rung(0.3)], FLOAT32, noise, MOST)
    assert [wide.rounding for wide in (*within, *full)] == ['', FLOAT32]
    assert not caplog.records  # nothing that another option would mend
