"""How far two forms of a classifier are apart, from logits whose differences can be told by hand."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import ParityError
from mobileone_mm.exporter.report import Report
from mobileone_mm.tasks.classification.compare import LIMITS, compare, compare_digest, digest, is_digest
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES

SIZE = (80, 80)


def outputs(*logits: float) -> Outputs:
    row = np.array([logits], np.float64)
    powers = np.exp(row - row.max())
    return {LOGITS: row, PROBABILITIES: powers / powers.sum()}


def compared(*pairs: tuple[Outputs, Outputs], step: str = 'float16') -> Any:
    return compare('x', pairs, SIZE, step)


def test_the_same_is_not_apart() -> None:
    one = outputs(0, 10, 4)
    assert [rung.value for rung in compared((one, one))] == [0, 0, 0]
    assert [rung.unit for rung in compared((one, one))] == ['of range', 'score', 'of pictures']


def test_the_worst_logit_of_all_pictures_counts_as_a_part_of_its_pictures_range() -> None:
    one, wide = outputs(0, 10, 4), outputs(0, 100, 40)
    of_range, score, pictures = compared((one, one), (wide, outputs(0, 99, 40)), (one, outputs(0, 10, 4.5)))
    assert of_range.value == pytest.approx(0.05)
    assert not of_range.holds
    assert score.value == pytest.approx(outputs(0, 10, 4.5)[PROBABILITIES][0, 2] - one[PROBABILITIES][0, 2])
    assert pictures.value == 0


def test_a_probability_is_absolute() -> None:
    _, score, _ = compared((outputs(0, 0), outputs(0, np.log(3))))
    assert score.value == pytest.approx(0.25)


@pytest.mark.parametrize(('margin', 'ties'), [(0.99, 1), (1.01, 0)])
def test_a_tie_is_counted_apart(margin: float, ties: int) -> None:
    close = margin * LIMITS['float16'].tie * 10
    one, other = outputs(0, 10, 10 - close), outputs(0, 10 - close, 10)
    *_, pictures = compared((one, other), (one, one))
    assert pictures.value == (0 if ties else 0.5)
    said = (
        '1 picture of 2 changed class but is not counted: the logits of the two classes were within 0.01 of the range'
    )
    assert pictures.note == (said if ties else '')


def test_another_class_fails() -> None:
    *_, pictures = compared((outputs(0, 10, 4), outputs(10, 0, 4)))
    assert pictures.value == 1
    assert not pictures.holds


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_what_is_no_number_fails(value: float) -> None:
    one = outputs(0, 10, 4)
    bad = {name: np.where([[True, False, False]], value, numbers) for name, numbers in one.items()}
    assert not any(rung.holds for rung in compared((one, one), (one, bad)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ParityError, match=r'logits of shape \(1, 2\) given, \(1, 3\) expected'):
        compared((outputs(0, 10, 4), outputs(0, 10)))


def test_a_digest_is_what_json_can_hold_and_tells_what_changed(classifier_package: Report) -> None:
    one = outputs(0.123456789, 10, -4)
    kept = digest(one)
    assert kept == {'logits': [0.1234568, 10, -4]}
    assert is_digest(json.loads(json.dumps(kept)))
    card = replace(classifier_package.info, probe=kept)
    assert all(rung.holds for rung in compare_digest(card, one, 'float32'))
    for other in (outputs(10, 0.123456789, -4), outputs(0.2, 10, -4), outputs(0.123456789, 9, -4)):
        assert not compare_digest(card, other, 'float32')[0].holds
    (rung,) = compare_digest(card, outputs(0, 10), 'float32')
    assert not rung.holds
    assert rung.note == 'the probe holds 3 logits, expected 2'


@pytest.mark.parametrize(
    'value',
    [None, [], {}, {'logits': []}, {'logits': 1}, {'logits': [True]}, {'logits': [1.0], 'more': 1}, {'logits': ['1']}],
    ids=str,
)
def test_what_is_no_digest_is_told(value: Any) -> None:
    assert not is_digest(value)
