"""The clock of the benchmarks: what counts, who takes turns, what is counted of a network."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from measured import results_kind, table, write_results
from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.atomic import require_writable
from mobileone_mm.errors import UsageError
from timing import (
    Times,
    core_ml_benchmarker,
    engines,
    in_onnx_runtime,
    in_torch,
    interleaved,
    macs,
    parameters,
    setting,
)

SIDE = 16  # px


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, image: Tensor) -> Tensor:
        self.calls += 1
        return image


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 8, 5))


def test_a_first_run_does_not_count() -> None:
    network = Counting()
    assert len(in_torch(network, SIDE)(3)) == 3
    assert network.calls == 4


def test_models_take_turns_and_the_fastest_and_the_median_of_all_rounds_are_kept() -> None:
    turns = []
    values = {'one': iter([[5.0, 3.0], [9.0, 4.0]]), 'other': iter([[1.0, 2.0], [7.0, 8.0]])}

    def sampler(name: str, runs: int) -> list[float]:
        turns.append((name, runs))
        return next(values[name])

    samplers = {name: lambda runs, name=name: sampler(name, runs) for name in values}
    assert interleaved(samplers, rounds=2, runs=2) == {'one': Times(3.0, 4.5), 'other': Times(1.0, 4.5)}
    assert turns == [('one', 2), ('other', 2)] * 2


def test_macs_and_parameters_are_those_counted_by_hand() -> None:
    network = tiny()
    assert macs(network, SIDE) == 8 * 8 * 4 * 3 * 9 + 4 * 8 * 8 * 5  # without biases
    assert parameters(network) == 4 * 3 * 9 + 4 + 4 * 8 * 8 * 5 + 5


def test_onnx_runtime_times_the_exported_network() -> None:
    network = tiny().eval()
    samples = in_onnx_runtime(network, SIDE)(2)
    assert len(samples) == 2
    assert min(samples) > 0


def test_core_mls_benchmarker_holds_the_converted_network(tmp_path: Path) -> None:
    pytest.importorskip('coremltools')
    description = core_ml_benchmarker(tiny().eval(), SIDE, tmp_path).model_spec.description
    (image,) = description.input
    assert image.name == IMAGE
    assert (image.type.imageType.width, image.type.imageType.height) == (SIDE, SIDE)
    assert list(description.output[0].type.multiArrayType.shape) == [1, 5]


@pytest.mark.skipif(sys.platform == 'darwin', reason='Core ML is here')
def test_core_ml_is_refused_where_it_is_not(tmp_path: Path) -> None:
    assert list(engines(tmp_path, coreml=False)) == ['ONNX Runtime', 'torch']
    with pytest.raises(UsageError, match='--coreml: Core ML runs on macOS'):
        engines(tmp_path, coreml=True)


def test_settings_say_what_was_measured_and_beside_what() -> None:
    words = setting(rounds=2, runs=3, others=0.5, side=SIDE)
    assert words['input'] == '1 x 3 x 16 x 16, float32'
    assert words['other processes'].startswith('0.50 cores')
    assert f'torch {torch.__version__.partition("+")[0]}' in words['versions']
    alone = setting(rounds=1, runs=1, others=None)
    assert 'other processes' not in alone
    assert alone['runs'].startswith('1 round, in each 1 that does not count and 1 that does,')


def test_a_table_has_empty_cells_where_nothing_is_known() -> None:
    assert table(['a', 'b'], [[1, None], ['x', 2.5]]) == '| a | b |\n| --- | --- |\n| 1 |  |\n| x | 2.5 |'


def test_results_replace_an_earlier_runs_alone(tmp_path: Path) -> None:
    out = tmp_path / 'results'
    for content in (b'old', b'new'):
        write_results(out, 'latency', {'latency.md': content})
    assert (out / 'latency.md').read_bytes() == b'new'
    with pytest.raises(UsageError, match="not a folder of the benchmark 'bottlenecks'"):
        write_results(out, 'bottlenecks', {'bottlenecks.md': b''})
    (out / 'notes.txt').write_text('mine')
    with pytest.raises(UsageError, match='move it away'):
        require_writable(out, results_kind('latency', ['latency.md']))
    assert (out / 'notes.txt').read_text() == 'mine'
