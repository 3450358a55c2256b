"""What a card keeps of a segmenter's outputs tells whether they are still the same."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.segmentation.fingerprint import TIE, fingerprint, fingerprint_rungs, is_fingerprint
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS
from mobileone_mm.tasks.task import run_graph
from tiny_segmenter import SIZE, graph_of


@pytest.fixture(scope='module')
def outputs(segmenter: tuple[Path, Path]) -> Any:
    return run_graph(graph_of(segmenter), drawn_picture(SIZE))


def test_it_is_what_json_can_hold(outputs: Any) -> None:
    made = fingerprint(outputs)
    assert is_fingerprint(json.loads(json.dumps(made)))
    assert json.loads(json.dumps(made)) == made


def test_the_same_outputs_agree_and_shifted_ones_do_not(outputs: Any, segmenter_package: Report) -> None:
    card = replace(segmenter_package.info, probe=fingerprint(outputs))
    assert all(rung.holds for rung in fingerprint_rungs(card, outputs, 'float32'))
    shifted = {name: np.roll(value, 2, axis=-1) for name, value in outputs.items()}
    assert not any(rung.holds for rung in fingerprint_rungs(card, shifted, 'float16'))
    swapped = {LOGITS: outputs[LOGITS][:, ::-1], CLASS_MAP: outputs[LOGITS].shape[1] - 1 - outputs[CLASS_MAP]}
    assert not any(rung.holds for rung in fingerprint_rungs(card, swapped, 'float16'))


def test_a_tie_is_held_to_neither_class(outputs: Any, segmenter_package: Report) -> None:
    tied = copy.deepcopy(dict(outputs))
    tied[LOGITS][:] = 1.0
    tied[LOGITS][0, 0, 0, 0] = 2.0
    made = fingerprint(tied)
    assert made['map'][0][0] != TIE
    assert {value for row in made['map'] for value in row[1:]} == {TIE}


def test_outputs_of_another_shape_fail(outputs: Any, segmenter_package: Report) -> None:
    card = replace(segmenter_package.info, probe=fingerprint(outputs))
    other = {LOGITS: outputs[LOGITS][:, :2], CLASS_MAP: outputs[CLASS_MAP]}
    (rung,) = fingerprint_rungs(card, other, 'float32')
    assert not rung.holds
    assert rung.note == 'the probe holds (16, 4) sums and (32, 32) samples, expected (16, 2), (32, 32)'


@pytest.mark.parametrize(
    'change',
    [{'range': -1.0}, {'range': None}, {'sums': [[1.0]]}, {'map': [[0.5]]}, {'map': []}, {'map': [[-2]]}, {'more': 1}],
    ids=str,
)
def test_what_is_no_fingerprint_is_told(change: dict[str, Any], outputs: Any) -> None:
    assert not is_fingerprint({**fingerprint(outputs), **change})
    assert not is_fingerprint(change)
