"""The latency benchmark: MobileOne is the paper's, rank correlations are Spearman's, and what it writes."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import latency
from latency import NETWORKS, Row, correlations, sections
from latency_plot import figure_of, label, set_ticks
from mobileone_mm.errors import UsageError
from timing import Times, macs, parameters

# Table 9 of the paper: parameters and FLOPs (of which one is a multiply-accumulate), in millions.
PAPER = {'S0': (2.1, 275), 'S1': (4.8, 825), 'S2': (7.8, 1299), 'S3': (10.1, 1896), 'S4': (14.8, 2978)}
COUNTING = 1e-3  # relative: what counters take of pooling and squeeze-excite differs


def row(name: str, parameters: int, macs: int, phone: float, fastest: float) -> Row:
    return Row(name, parameters, macs, 70.0, phone, {'ONNX Runtime': Times(fastest, 2 * fastest)})


def four(times: Sequence[float]) -> list[Row]:
    columns = zip((1, 2, 3, 4), (10, 30, 20, 40), (4.0, 3.0, 2.0, 1.0), times, strict=True)
    return [row(f'Net-{index}', *values) for index, values in enumerate(columns)]


@pytest.mark.parametrize('variant', PAPER)
def test_the_fused_networks_have_the_papers_parameters_and_macs(variant: str) -> None:
    network = NETWORKS[f'MobileOne-{variant}'].build()
    expected_parameters, expected_macs = PAPER[variant]
    assert round(parameters(network) / 1e6, 1) == expected_parameters
    assert macs(network) / 1e6 == pytest.approx(expected_macs, rel=COUNTING)


def test_correlations_are_of_ranks() -> None:
    found = correlations(four([1.0, 10.0, 100.0, 1000.0]))['ONNX Runtime']
    # 1 - 6 sum(d^2) / (n (n^2 - 1)) of the ranks' differences d
    assert found['parameters'][0] == pytest.approx(1.0)
    assert found['MACs'][0] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert found["paper's phone"][0] == pytest.approx(-1.0)


def test_equal_times_share_their_rank() -> None:
    found = correlations(four([1.0, 5.0, 5.0, 9.0]))['ONNX Runtime']
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5, variances 4.5 and 5
    assert found['parameters'][0] == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


@pytest.mark.parametrize(('count', 'cell'), [(9, r'1\.00'), (10, r'1\.00 \([0-9.e-]+\)')])
def test_p_values_are_given_from_ten_networks_on(count: int, cell: str) -> None:
    rows = [row(f'Net-{one}', one, one, float(one), float(one)) for one in range(1, 1 + count)]
    (line,) = [line for line in sections(rows, {})[-1].splitlines() if line.startswith('| ONNX Runtime |')]
    assert re.fullmatch(rf'\| ONNX Runtime \| {cell} \| {cell} \| {cell} \|', line)


def test_two_networks_have_no_correlation() -> None:
    assert correlations(four([1.0, 2.0, 3.0, 4.0])[:2]) == {}


def test_writes_table_numbers_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'out'
    words = ['--models', 'MobileOne-S0', '--rounds', '1', '--runs', '1', '--out', str(out)]
    assert latency.main(words) == 0
    text = (out / 'latency.md').read_text()
    assert text == capsys.readouterr().out
    assert '| MobileOne-S0 | 2.1 | 275 | 71.4 |' in text
    (found,) = json.loads((out / 'latency.json').read_text())['networks']
    assert (found['parameters'], found['macs']) == (2_078_504, 275_110_400)
    assert 0 < found['times']['torch']['fastest'] <= found['times']['torch']['median']
    assert (out / 'latency.png').read_bytes().startswith(b'\x89PNG')


def test_what_stands_in_the_way_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('mine')
    with pytest.raises(UsageError, match='move it away'):
        latency.main(['--models', 'MobileOne-S0', '--out', str(tmp_path)])
    with pytest.raises(UsageError, match='MobileNetV9 given, expected some of MobileOne-S0, '):
        latency.main(['--models', 'MobileNetV9'])


def test_names_in_the_plot_do_not_cover_each_other() -> None:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots()
    axis.plot([1.0, 1.01, 1.02, 2.0], [70.0, 70.1, 70.2, 72.0], marker='o')
    figure.canvas.draw()
    label(axis, [f'Network-{index}' for index in range(4)])
    boxes = [text.get_window_extent() for text in axis.texts]
    pyplot.close(figure)
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for index, one in enumerate(boxes) for other in boxes[:index])


@pytest.mark.parametrize('times', [(2.3, 4.0), (0.7, 0.98), (3.0,), (1.0, 1.01), (0.7, 9.2), (0.001, 900.0)])
def test_the_axis_of_times_has_labels_whatever_its_range(times: Sequence[float]) -> None:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots()
    axis.set_xscale('log')
    axis.plot(times, [70.0] * len(times), marker='o')
    set_ticks(axis)
    figure.canvas.draw()
    least, most = axis.get_xlim()
    shown = [text.get_text() for text in axis.get_xticklabels() if least <= text.get_position()[0] <= most]
    pyplot.close(figure)
    assert len([text for text in shown if text]) >= 2
    assert len(set(shown)) == len(shown)


def test_names_keep_off_the_line_of_mobileone() -> None:
    from matplotlib import pyplot

    names, networks = list(NETWORKS), NETWORKS.values()
    times = [one.phone for one in networks]
    figure = figure_of(names, [one.top1 for one in networks], {'phone': times, 'the same': times})
    axis = figure.axes[1]
    ours = next(line for line in axis.lines if line.get_color() == 'black')
    path = ours.get_transform().transform_path(ours.get_path())
    boxes = {text.get_text(): text.get_window_extent() for text in axis.texts}
    pyplot.close(figure)
    assert set(boxes) == set(names)
    assert [name for name, box in boxes.items() if path.intersects_bbox(box, filled=False)] == []
