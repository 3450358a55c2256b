"""The whole export: what it takes, what it refuses, and that a refusal leaves nothing behind."""

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mobileone_mm.errors import CheckpointError, ConfigError, ExportError, MobileOneError, ParityError, UsageError
from mobileone_mm.exporter import export, verify
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.coreml import convert, rungs
from mobileone_mm.targets.coreml import detector as coreml_detector
from mobileone_mm.targets.coreml.detector import labels_for
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.detection import graph
from mobileone_mm.tasks.detection.options import DetectorOptions
from mobileone_mm.weights import checkpoint
from tiny_detector import overflowing, write_config

SSD300 = [[2], [2, 3], [2, 3], [2]]  # 4, 6, 6 and 4 priors a position


@pytest.mark.parametrize(
    ('count', 'changes', 'options'),
    [
        pytest.param(1, {'ratios': SSD300, 'to_rgb': False}, {}, id='1 class, priors as SSD300 has them, BGR'),
        pytest.param(20, {'means': [0.1, -0.2, 0.3, -0.4]}, {'target': 'iOS15'}, id='20 classes, box means, iOS 15'),
        pytest.param(34, {}, {'target': 'iOS18', 'confidence_threshold': 0.1}, id='34 classes, iOS 18'),
        pytest.param(80, {}, {'input_size': (64, 128)}, id='80 classes, another size'),
    ],
)
def test_class_counts_and_options(
    count: int,
    changes: dict[str, Any],
    options: dict[str, Any],
    tmp_path: Path,
    make_detector: Callable[..., tuple[Path, Path]],
) -> None:
    classes = tuple(f'class {index}' for index in range(count))
    chosen = DetectorOptions(**options)
    report = export.export(*make_detector(tmp_path, classes=classes, **changes), chosen, tmp_path / 'd.mlpackage')

    info = verify.verify(report.artifact)  # the contract
    assert info.classes == classes
    assert report.columns == 80
    spec = open_package(report.artifact).spec
    assert [spec.specificationVersion] * 2 == [stage.specificationVersion for stage in spec.pipeline.models]
    assert spec.specificationVersion == chosen.spec_version
    suppression = spec.pipeline.models[1].nonMaximumSuppression
    assert suppression.confidenceThreshold == chosen.confidence_threshold
    labels = list(suppression.stringClassLabels.vector)
    assert (tuple(labels[:count]), len(set(labels))) == (classes, 80)
    image = spec.description.input[0].type.imageType
    assert (image.width, image.height) == (chosen.input_size or (96, 64))
    assert ('pad' in report.operations) == (count % 80 != 0)
    assert ('reverse' in report.operations) == ('to_rgb' in changes)
    assert report.operations['transpose'] == (6 if 'ratios' in changes else 2)  # runs of levels, times two kinds


@pytest.mark.parametrize(
    ('options', 'operation'),
    [
        ({'weights': 'int8'}, 'constexpr_affine_dequantize'),
        ({'weights': 'int8', 'target': 'iOS18', 'precision': 'fp32'}, 'constexpr_blockwise_shift_scale'),
        ({'weights': 'palette8'}, 'constexpr_lut_to_dense'),
        ({'weights': 'palette6'}, 'constexpr_lut_to_dense'),
    ],
)
def test_compressed_weights(
    options: dict[str, Any],
    operation: str,
    exported: Report,
    tmp_path: Path,
    make_detector: Callable[..., tuple[Path, Path]],
) -> None:
    chosen = DetectorOptions(**options)
    classes = tuple(f'class {index}' for index in range(8))  # whose weights are many enough to be compressed
    report = export.export(*make_detector(tmp_path, classes=classes), chosen, tmp_path / 'd.mlpackage')
    assert report.info.weights == chosen.weights
    assert report.operations == exported.operations - Counter({'cast': 3 if chosen.precision == 'fp32' else 0})
    rungs = {(rung.name, rung.unit): rung for rung in report.rungs}
    compressed = rungs[f'graph -> saved package, {chosen.weights} weights', 'score']
    assert compressed.value is not None
    assert compressed.value > 1e-3  # it costs something
    exact = rungs[rungs.FLOAT32_RUNG, 'score'].value
    assert exact is not None
    assert exact < 1e-6  # and nothing but what the constants cost
    assert ((rungs.ROUNDING_RUNG, 'score') in rungs) == (chosen.precision == 'fp16')
    block = convert.block(open_package(report.artifact).spec.pipeline.models[0])
    packed = [one.outputs[0].name for one in block.operations if one.type == operation]
    assert packed
    # Priors are not weights: a step of 1/255 of the picture would be pixels.
    assert all(name.startswith('p_') and 'weight' in name for name in packed)
    assert rungs.reclimb(report.artifact)[0] == report.info


def test_layers_in_float32(detector: tuple[Path, Path], exported: Report, tmp_path: Path) -> None:
    options = DetectorOptions(fp32_ops=('bbox_head', 'runs.*'))
    report = export.export(*detector, options, tmp_path / 'd.mlpackage')
    assert report.info.fp32_ops == ('bbox_head', 'runs.*')
    block = convert.block(open_package(report.artifact).spec.pipeline.models[0])
    float16 = coremltools().proto.MIL_pb2.FLOAT16
    for one in block.operations:
        layer = report.info.layers.get(one.outputs[0].name, '')
        if one.type not in ('const', 'cast') and layer:
            kept = layer.startswith(('bbox_head', 'runs.'))
            assert (one.outputs[0].type.tensorType.dataType != float16) == kept, one.outputs[0].name
    box, before = (
        next(rung for rung in one.rungs if (rung.name, rung.unit) == (rungs.FLOAT16_RUNG, 'px'))
        for one in (report, exported)
    )
    assert box.value is not None
    assert before.value is not None
    assert box.value < before.value


def test_a_program_in_float32(detector: tuple[Path, Path], exported: Report, tmp_path: Path) -> None:
    report = export.export(*detector, DetectorOptions(precision='fp32'), tmp_path / 'd.mlpackage')
    assert (report.info.precision, report.info.weights) == ('float32', 'float32')
    assert report.bytes > 1.2 * exported.bytes  # the metadata are as long
    assert 'cast' not in report.operations
    names = [rung.name for rung in report.rungs]
    assert rungs.OVERFLOW_RUNG not in names
    assert rungs.FLOAT16_RUNG not in names
    assert [rung.value for rung in report.rungs if rung.name == rungs.CONSTANTS_RUNG] == [0]


def test_a_layer_that_overflows_can_be_kept_in_float32(detector: tuple[Path, Path], tmp_path: Path) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**15)
    options = DetectorOptions(fp32_ops=('backbone.stage0', 'backbone.stage1.0.reparam_conv'))
    assert export.export(*scaled, options, tmp_path / 'd.mlpackage').rungs
    assert export.export(*scaled, DetectorOptions(precision='fp32'), tmp_path / 'e.mlpackage').rungs


def test_a_fused_checkpoint_gives_the_same_weights(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path
) -> None:
    config_file, weights = detector
    source = checkpoint.read_checkpoint(weights)
    fused = fuse(open_model.open_model(configs.load_config(config_file), weights)[0].double()).float()
    checkpoint.save_checkpoint(tmp_path / 'fused.pth', fused.state_dict(), source.meta)
    options = DetectorOptions(pad_classes=False)
    report = export.export(config_file, tmp_path / 'fused.pth', options, tmp_path / 'd.mlpackage')
    assert report.info.weights_sha256 == exported.info.weights_sha256
    assert report.columns == 3
    assert report.operations == exported.operations - Counter({'pad': 1})


def test_an_older_package_is_replaced_only_when_all_is_well(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [tmp_path / 'a.png', tmp_path / 'b.png']
    for image in images:
        mmcv.imwrite(np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8), str(image))
    out = shutil.copytree(exported.artifact, tmp_path / 'out' / 'd.mlpackage')
    (out / 'Data/mark').touch()

    # Two labels change places on the way: the fault shows in the file that was written, and only there.
    with monkeypatch.context() as faulty:
        faulty.setattr(coreml_detector, 'labels_for', lambda classes, columns: labels_for(classes[::-1], columns))
        with pytest.raises(ExportError, match='the labels begin with'):
            export.export(*detector, DetectorOptions(), out)
    assert (out / 'Data/mark').exists()

    report = export.export(*detector, DetectorOptions(), out, images)
    assert sorted(out.parent.iterdir()) == [out, out.parent / 'report.html']
    assert not (out / 'Data/mark').exists()
    assert verify.verify(out).weights_sha256 == exported.info.weights_sha256
    assert [rung.holds for rung in report.rungs[:3]] == [True] * 3
    assert report.rungs[1].value != exported.rungs[1].value  # other pictures


def broken_weights(folder: Path, weights: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    source = checkpoint.read_checkpoint(weights)
    change(source.state_dict)
    checkpoint.save_checkpoint(folder / 'broken.pth', source.state_dict, source.meta)
    return folder / 'broken.pth'


SEGMENTER = """
default_scope = 'mmseg'
model = dict(type='EncoderDecoder')
"""
RETINANET = """
default_scope = 'mmdet'
arch = dict(num_blocks=[1] * 4, width_factor=[0.125] * 4, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)
model = dict(
    type='SingleStageDetector',
    backbone=dict(type='mobileone_mm.MobileOne', arch=arch),
    bbox_head=dict(type='RetinaHead', num_classes=3, in_channels=64, stacked_convs=1),
)
"""
TWO_STAGES = """
default_scope = 'mmdet'
model = dict(type='FasterRCNN')
"""


def of_text(text: str) -> Callable[[Path, Path, Path], tuple[Path, Path]]:
    def write(folder: Path, config_file: Path, weights: Path) -> tuple[Path, Path]:
        (folder / 'other.py').write_text(text)
        return folder / 'other.py', weights

    return write


def of_changes(**changes: Any) -> Callable[[Path, Path, Path], tuple[Path, Path]]:
    return lambda folder, config_file, weights: (write_config(folder, **changes), weights)


def of_sed(old: str, new: str) -> Callable[[Path, Path, Path], tuple[Path, Path]]:
    def write(folder: Path, config_file: Path, weights: Path) -> tuple[Path, Path]:
        text = config_file.read_text()
        assert old in text
        return of_text(text.replace(old, new))(folder, config_file, weights)

    return write


def of_no_checkpoint(folder: Path, config_file: Path, weights: Path) -> tuple[Path, Path]:
    return config_file, folder / 'none.pth'


def of_a_text_file(folder: Path, config_file: Path, weights: Path) -> tuple[Path, Path]:
    (folder / 'text.pth').write_text('no checkpoint')
    return config_file, folder / 'text.pth'


def of_nan_weights(folder: Path, config_file: Path, weights: Path) -> tuple[Path, Path]:
    def change(state: dict[str, Any]) -> None:
        state['bbox_head.cls_convs.0.1.bias'][0] = torch.nan

    return config_file, broken_weights(folder, weights, change)


@pytest.mark.parametrize(
    ('make', 'error', 'message'),
    [
        pytest.param(of_no_checkpoint, CheckpointError, r'none\.pth', id='no checkpoint'),
        pytest.param(of_a_text_file, CheckpointError, r'text\.pth', id='no checkpoint file'),
        pytest.param(of_changes(classes=('a', 'b', 'c', 'd')), CheckpointError, r'best\.pth', id='another model'),
        pytest.param(
            of_changes(classes=('circle', 'triangle', 'square')),
            CheckpointError,
            r"trained on the classes \('circle', 'square', 'triangle'\), .*tiny\.py names \('circle', 'triangle'",
            id='classes in another order',
        ),
        pytest.param(
            of_changes(classes=('circle', 'square'), num_classes=3),
            ConfigError,
            r'the data set has 2 classes, bbox_head\.num_classes is 3',
            id='fewer names than classes',
        ),
        pytest.param(of_changes(classes=('a', 'b', 'a')), ConfigError, 'a class name stands twice', id='a name twice'),
        pytest.param(
            of_text(SEGMENTER), ConfigError, r'other\.py: a config for segmentation, expected one', id='segmenter'
        ),
        pytest.param(of_text(TWO_STAGES), ConfigError, r'other\.py: FasterRCNN has no bbox_head', id='two stages'),
        pytest.param(of_text(RETINANET), ConfigError, r'other\.py: RetinaHead given, expected an SSD', id='no SSD'),
        pytest.param(of_text('x = 1'), ConfigError, r'other\.py: this config has no `model`', id='no model'),
        pytest.param(of_sed('keep_ratio=False', 'keep_ratio=True'), ConfigError, 'keep_ratio=True', id='no fixed size'),
        pytest.param(
            of_sed("type='DetDataPreprocessor',", "type='DetDataPreprocessor', pad_size_divisor=128,"),
            ConfigError,
            'input size 96x64: the data preprocessor pads to multiples of 128',
            id='padding',
        ),
        pytest.param(of_nan_weights, CheckpointError, 'NaN or infinity in 1 key', id='NaN in the weights'),
    ],
)
def test_refused_inputs_leave_nothing(
    make: Callable[[Path, Path, Path], tuple[Path, Path]],
    error: type[MobileOneError],
    message: str,
    detector: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config_file, weights = make(tmp_path, *detector)
    (tmp_path / 'out').mkdir()
    with pytest.raises(error, match=message) as caught:
        export.export(config_file, weights, DetectorOptions(), tmp_path / 'out' / 'd.mlpackage')
    assert '\n' not in str(caught.value)
    assert capsys.readouterr().err == '' or make is of_nan_weights
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_graph_that_is_off_is_not_written(
    detector: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, 'WH_RATIO_CLIP', 0.99)  # every box becomes as large as its prior
    with pytest.raises(ParityError, match=r'trained -> graph, float32: .* px, limit 0\.5 px'):
        export.export(*detector, DetectorOptions(), tmp_path / 'd.mlpackage')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('out', 'message'),
    [('d.mlmodel', r'expected \.mlpackage'), ('no/d.mlpackage', 'does not exist; make it: mkdir -p')],
)
def test_refused_paths(out: str, message: str, detector: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        export.export(*detector, DetectorOptions(), tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_json(exported: Report) -> None:
    report = Config(exported.as_dict())
    assert report.rows == 198
    assert report.columns == 80
    assert report.bytes == sum(file.stat().st_size for file in exported.artifact.rglob('*') if file.is_file())
    assert set(report.seconds) == {'load', 'fuse', 'graph', 'convert', 'save and check', 'report'}


@pytest.mark.parametrize(('evaluate', 'limit'), [(True, 0), (True, -1), (False, 5)])
def test_a_limit_is_for_scoring(evaluate: bool, limit: int, detector: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf'--limit {limit}: expected a number of pictures from 1, together with'):
        export.export(*detector, DetectorOptions(), tmp_path / 'd.mlpackage', evaluate=evaluate, limit=limit)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_scored_is_refused_before_anything_is_written(
    detector: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match='test'):
        export.export(*detector, DetectorOptions(), tmp_path / 'd.mlpackage', evaluate=True)
    assert list(tmp_path.iterdir()) == []
    assert 'convert' not in capsys.readouterr().err


def test_the_cures_of_an_overflow_cure_it_as_printed(detector: tuple[Path, Path], tmp_path: Path) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**15)
    with pytest.raises(ParityError, match='it overflows float16') as stopped:
        export.export(*scaled, DetectorOptions(), tmp_path / 'd.mlpackage')
    layers = tuple(re.findall(r"--fp32-op '([^']+)'", str(stopped.value)))
    assert 'backbone.stage0.reparam_conv' in layers
    assert 'backbone.stage1.0.reparam_conv' in layers  # which takes what overflows
    assert all(layer.startswith('backbone.') for layer in layers)
    report = export.export(*scaled, DetectorOptions(fp32_ops=layers), tmp_path / 'd.mlpackage')
    assert report.info.fp32_ops == layers
