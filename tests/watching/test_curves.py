"""The curves of a training, from the files that mmengine logs to."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mobileone_mm.watching.curves import MOST_POINTS, Entry, curves_of, line_of, logged

FIRST, SECOND, THIRD = '20260301_100000', '20260301_110000', '20260302_090000'


def train(step: int, loss: float, epoch: int | None = None) -> dict[str, Any]:
    places = {'iter': step, 'step': step} | ({} if epoch is None else {'epoch': epoch})
    return {'lr': 0.1, 'data_time': 0.01, 'loss': loss, 'loss_cls': loss / 2, 'time': 0.1, 'memory': 9, **places}


def validation(step: int, value: float) -> dict[str, Any]:
    return {'coco/bbox_mAP': value, 'data_time': 0.1, 'time': 0.2, 'step': step}


def write(work_dir: Path, run: str, *entries: dict[str, Any], end: str = '') -> Path:
    folder = work_dir / run / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(f'{json.dumps(entry)}\n' for entry in entries) + end)
    return work_dir / run


def losses(entries: list[Entry]) -> list[tuple[int, float]]:
    return [(entry.step, entry.values['loss']) for entry in entries if not entry.validated]


def test_losses_rates_and_results_stand_where_they_belong(tmp_path: Path) -> None:
    run = write(tmp_path, FIRST, train(5, 4.0, 1), train(10, 2.0, 1), validation(1, 0.5), train(15, 1.0, 2))
    curves = curves_of(logged(run, 0), steps=10)
    assert list(curves.losses) == ['loss', 'loss_cls']
    assert curves.losses['loss'] == ([0.5, 1.0, 1.5], [4.0, 2.0, 1.0])
    assert curves.rates == {'lr': ([0.5, 1.0, 1.5], [0.1] * 3)}
    assert curves.results == {'coco/bbox_mAP': ([1.0], [0.5])}


def test_a_validation_of_an_epoch_whose_end_was_not_logged_stands_at_its_end(tmp_path: Path) -> None:
    run = write(tmp_path, FIRST, train(50, 4.0, 1), validation(1, 0.5))
    assert curves_of(logged(run, 0), steps=90).results['coco/bbox_mAP'][0] == [1.0]


def test_in_steps_a_validation_stands_at_its_step(tmp_path: Path) -> None:
    run = write(tmp_path, FIRST, train(50, 4.0), validation(60, 0.5), train(100, 2.0), validation(2, 0.6))
    assert curves_of(logged(run, 0), None).results['coco/bbox_mAP'] == ([60.0, 100.0], [0.5, 0.6])


def test_a_metric_that_measured_nothing_leaves_a_gap(tmp_path: Path) -> None:
    run = write(tmp_path, FIRST, train(10, 4.0, 1), validation(1, -1.0))  # COCO's way to say so
    assert math.isnan(curves_of(logged(run, 0), 10).results['coco/bbox_mAP'][1][0])


def test_a_resumed_training_goes_on_with_the_curves_of_the_runs_before(tmp_path: Path) -> None:
    write(tmp_path, FIRST, train(1, 9.0, 1), train(2, 8.0, 1), validation(1, 0.1), train(3, 7.0, 2), train(4, 6.0, 2))
    write(tmp_path, SECOND, train(3, 5.0, 2), train(4, 4.0, 2), validation(2, 0.2), train(5, 3.0, 3))
    run = write(tmp_path, THIRD, train(5, 2.0, 3))
    entries = logged(run, begun=4)
    assert losses(entries) == [(1, 9.0), (2, 8.0), (3, 5.0), (4, 4.0), (5, 2.0)]
    assert curves_of(entries, 2).results['coco/bbox_mAP'] == ([1.0, 2.0], [0.1, 0.2])


def test_a_new_training_has_nothing_of_those_before(tmp_path: Path) -> None:
    write(tmp_path, FIRST, train(1, 9.0, 1))
    (tmp_path / 'notes').mkdir()
    run = write(tmp_path, SECOND, train(1, 5.0, 1))
    assert losses(logged(run, begun=0)) == [(1, 5.0)]


@pytest.mark.parametrize('end', ['{"loss": 3.', '\x00\x00', 'null\n', '[1]\n'])
def test_what_a_killed_process_left_half_written_is_passed_over(end: str, tmp_path: Path) -> None:
    run = write(tmp_path, FIRST, train(1, 9.0, 1), end=end)
    assert losses(logged(run, 0)) == [(1, 9.0)]


def test_without_a_log_there_are_no_curves(tmp_path: Path) -> None:
    (tmp_path / FIRST).mkdir()
    curves = curves_of(logged(tmp_path / FIRST, 7), 10)
    assert (curves.losses, curves.rates, curves.results) == ({}, {}, {})


def test_a_long_curve_is_the_means_of_neighbours() -> None:
    count = 10 * MOST_POINTS + 3
    x = [float(place) for place in range(count)]
    line = line_of('loss', (x, [2 * place for place in x]), '')
    assert len(line.x) == len(line.y) == MOST_POINTS
    assert line.y == pytest.approx([2 * place for place in line.x], abs=1e-9)
    assert line.x[0] == pytest.approx(4.5, abs=0.51)
