"""The ML program: what it is made of, and that making it is quiet."""

import logging
from collections import Counter
from pathlib import Path

import pytest
import torch

from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.coreml import convert
from mobileone_mm.targets.coreml.detector import CELL
from mobileone_mm.targets.coreml.library import coremltools, silent, workspace
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.detection.graph import DetectorGraph
from mobileone_mm.tasks.task import Graph
from tiny_detector import write_config

# Each is explained in docs/package.md; what comes with more levels is reshapes alone. A converter may need fewer.
NOT_CONVOLUTION = {
    'cast': 3,  # image in, both outputs out
    'sub': 1,  # normalisation
    'mul': 4,  # normalisation, three in the decoding
    'reshape': 12,  # one a level and kind (8), one to priors and one to rows a kind (4)
    'concat': 3,  # levels a kind, centres with sizes
    'softmax': 1,
    'slice_by_index': 3,  # background off, centres, sizes
    'exp': 1,
    'add': 1,
    'transpose': 2,  # one a kind
    'pad': 1,  # confidence columns up to 80
}


def test_operations_are_few(exported: Report) -> None:
    found = {name: count for name, count in exported.operations.items() if name not in ('conv', 'relu', 'clip')}
    assert Counter(found) <= Counter(NOT_CONVOLUTION)
    # 9 MobileOne blocks, 2 extra levels of 1x1 + separable, 4 levels of two separable heads
    assert exported.operations['conv'] == 9 + 2 * 3 + 4 * 2 * 2
    assert exported.operations['relu'] == 9


def test_program_is_float16_with_fixed_shapes(exported: Report) -> None:
    types = coremltools().proto.MIL_pb2
    program = open_package(exported.artifact).spec.pipeline.models[0]
    for operation in convert.block(program).operations:
        for output in operation.outputs:
            tensor = output.type.tensorType
            assert tensor.dataType not in (types.INT64, types.FLOAT64)
            assert all(size.WhichOneof('dimension') == 'constant' for size in tensor.dimensions)
            if operation.type not in ('const', 'cast'):
                assert tensor.dataType == types.FLOAT16, operation.type


def test_conversion_is_quiet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model = configs.build_model(configs.load_config(write_config(tmp_path)))
    with workspace() as folder:
        graph = DetectorGraph(fuse(model), (96, 64))
        convert.to_program(graph, CELL.outputs(graph), CoreMLOptions(), folder)
    assert capfd.readouterr() == ('', '')
    assert [record for record in caplog.records if record.name.startswith('coremltools')] == []


def test_silence_ends() -> None:
    logger = logging.getLogger('coremltools')
    before = logger.level

    def fail() -> None:
        with silent():
            assert logger.level == logging.ERROR
            raise ValueError('inside')

    with pytest.raises(ValueError, match='inside'):
        fail()
    assert logger.level == before


# The converter's temporary folders live as long as its exception does.
@pytest.mark.filterwarnings('ignore:Implicitly cleaning up:ResourceWarning')
def test_a_graph_that_cannot_be_converted(tmp_path: Path) -> None:
    class Unknown(Graph):
        size = (8, 8)
        outputs = ('one', 'other')

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.special.bessel_j0(image), image

    with pytest.raises(ExportError, match=r'coremltools cannot convert this model: .*bessel'):
        convert.to_program(Unknown(), CELL.outputs(Unknown()), CoreMLOptions(), tmp_path)
