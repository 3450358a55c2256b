"""The whole export: what it takes, what it refuses, and that a refusal leaves nothing behind."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mobileone_mm.errors import CheckpointError, ConfigError, ExportError, MobileOneError, ParityError, UsageError
from mobileone_mm.exporter.export import export
from mobileone_mm.exporter.model_checks import FUSED_RUNG
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.verify import verify
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.outputs import page_of
from mobileone_mm.pictures.reading import write_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.coreml import convert, rungs
from mobileone_mm.targets.coreml import detector as coreml_detector
from mobileone_mm.targets.coreml.detector import labels_for
from mobileone_mm.targets.coreml.library import coremltools
from mobileone_mm.targets.coreml.options import CoreMLOptions
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.tasks.detection import graph
from mobileone_mm.weights import checkpoint
from programs import WEIGHTS
from tiny_detector import MIXED_RATIOS, SIZE, export_tiny, overflowing, write_config


@pytest.mark.parametrize(
    ('count', 'changes', 'options'),
    [
        pytest.param(1, {'ratios': MIXED_RATIOS, 'to_rgb': False}, {}, id='1 class, priors as SSD300 has them, BGR'),
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
    report = export_tiny(make_detector(tmp_path, classes=classes, **changes), tmp_path / 'd.mlpackage', **options)

    info, _ = verify(report.artifact)  # the contract
    assert info.classes == classes
    assert report.facts['columns'] == 80
    spec = open_package(report.artifact).spec
    assert [spec.specificationVersion] * 2 == [stage.specificationVersion for stage in spec.pipeline.models]
    assert spec.specificationVersion == CoreMLOptions(target=report.info.target).spec_version
    assert report.info.target == options.get('target', 'iOS16')
    suppression = spec.pipeline.models[1].nonMaximumSuppression
    assert suppression.confidenceThreshold == options.get('confidence_threshold', 0.25)
    labels = list(suppression.stringClassLabels.vector)
    assert (tuple(labels[:count]), len(set(labels))) == (classes, 80)
    image = spec.description.input[0].type.imageType
    assert (image.width, image.height) == options.get('input_size', SIZE)
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
    weights, full = options['weights'], options.get('precision') == 'fp32'
    classes = tuple(f'class {index}' for index in range(8))  # whose weights are many enough to be compressed
    report = export_tiny(make_detector(tmp_path, classes=classes), tmp_path / 'd.mlpackage', **options)
    assert report.info.weights == weights
    casts = exported.operations['cast'] if full else 0
    assert report.operations == Counter(exported.operations) - Counter({'cast': casts})
    made = {(rung.name, rung.unit): rung for rung in report.rungs}
    compressed = made[rungs.COMPRESSED_RUNG.format(weights), 'score']
    assert compressed.value is not None
    assert compressed.value > 1e-3  # it costs something
    exact = made[rungs.FLOAT32_RUNG, 'score'].value
    assert exact is not None
    assert exact < 1e-6  # and nothing but what the constants cost
    assert ((rungs.ROUNDING_RUNG, 'score') in made) != full
    block = convert.block(open_package(report.artifact).spec.pipeline.models[0])
    packed = [one.outputs[0].name for one in block.operations if one.type == operation]
    assert packed
    # Priors are not weights: a step of 1/255 of the picture would be pixels.
    assert all(name.startswith('p_') and 'weight' in name for name in packed)
    card, again = verify(report.artifact)
    assert card == report.info
    assert all(rung.holds for rung in again if rung.value is not None)


def test_layers_in_float32(detector: tuple[Path, Path], exported: Report, tmp_path: Path) -> None:
    report = export_tiny(detector, tmp_path / 'd.mlpackage', fp32_ops=('bbox_head', 'runs.*'))
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
    report = export_tiny(detector, tmp_path / 'd.mlpackage', precision='fp32')
    assert (report.info.precision, report.info.weights) == ('float32', 'float32')
    assert report.bytes > 1.2 * exported.bytes  # the metadata are as long
    assert 'cast' not in report.operations
    names = [rung.name for rung in report.rungs]
    assert rungs.OVERFLOW_RUNG not in names
    assert rungs.FLOAT16_RUNG not in names
    assert [rung.value for rung in report.rungs if rung.name == rungs.CONSTANTS_RUNG] == [0]


def test_a_layer_that_overflows_can_be_kept_in_float32(detector: tuple[Path, Path], tmp_path: Path) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**15)
    layers = ('backbone.stage0', 'backbone.stage1.0.reparam_conv')
    assert export_tiny(scaled, tmp_path / 'd.mlpackage', fp32_ops=layers).rungs
    assert export_tiny(scaled, tmp_path / 'e.mlpackage', precision='fp32').rungs


def test_a_fused_checkpoint_gives_the_same_weights(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path
) -> None:
    config_file, weights = detector
    source = checkpoint.read_checkpoint(weights)
    fused = fuse(open_model(configs.load_config(config_file), weights)[0].double()).float()
    checkpoint.save_checkpoint(tmp_path / 'fused.pth', fused.state_dict(), source.meta)
    report = export_tiny((config_file, tmp_path / 'fused.pth'), tmp_path / 'd.mlpackage', pad_classes=False)
    assert (report.artifact / WEIGHTS).read_bytes() == (exported.artifact / WEIGHTS).read_bytes()
    assert report.facts['columns'] == 3
    assert report.operations == Counter(exported.operations) - Counter({'pad': 1})
    before, after = (one.rungs[0] for one in (exported, report))
    assert (before.name, after.name, before.holds) == (FUSED_RUNG, FUSED_RUNG, True)
    assert (after.value, after.note) == (None, 'not run: the checkpoint was fused before')


def test_an_older_package_is_replaced_only_when_all_is_well(
    detector: tuple[Path, Path], exported: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [tmp_path / 'a.png', tmp_path / 'b.png']
    for image in images:
        write_picture(image, np.random.default_rng(1).integers(0, 255, (50, 70, 3), np.uint8))
    out = shutil.copytree(exported.artifact, tmp_path / 'out' / 'd.mlpackage')
    (out / 'Data/mark').touch()

    # Two labels change places on the way: the fault shows in the file that was written, and only there.
    with monkeypatch.context() as faulty:
        faulty.setattr(coreml_detector, 'labels_for', lambda classes, columns: labels_for(classes[::-1], columns))
        with pytest.raises(ExportError, match='the labels begin with'):
            export_tiny(detector, out)
    assert (out / 'Data/mark').exists()

    report = export_tiny(detector, out, images)
    assert sorted(out.parent.iterdir()) == [out, page_of(out)]
    assert not (out / 'Data/mark').exists()
    assert verify(out)[0].layers == exported.info.layers
    assert [rung.holds for rung in report.rungs[:3]] == [True] * 3
    assert report.rungs[1].value != exported.rungs[1].value  # other pictures


def broken_weights(folder: Path, weights: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    source = checkpoint.read_checkpoint(weights)
    change(source.state_dict)
    checkpoint.save_checkpoint(folder / 'broken.pth', source.state_dict, source.meta)
    return folder / 'broken.pth'


ARCH = 'dict(num_blocks=[1] * 4, width_factor=[0.125] * 4, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4)'
SEVERAL_LABELS = f"""
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mobileone_mm.MobileOne', arch={ARCH}),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=64),
)
"""
RETINANET = f"""
default_scope = 'mmdet'
model = dict(
    type='SingleStageDetector',
    backbone=dict(type='mobileone_mm.MobileOne', arch={ARCH}),
    bbox_head=dict(type='RetinaHead', num_classes=3, in_channels=64, stacked_convs=1),
)
"""
TWO_STAGES = f"""
default_scope = 'mmdet'
model = dict(
    type='FasterRCNN',
    backbone=dict(type='mobileone_mm.MobileOne', arch={ARCH}),
    rpn_head=None, roi_head=None, train_cfg=None, test_cfg=None,
)
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
        pytest.param(
            of_changes(classes=('a', 'b', 'c', 'd')),
            CheckpointError,
            r'best\.pth: the file has 3 classes, the config 4; give the config it was trained with$',
            id='another model',
        ),
        pytest.param(
            of_changes(classes=('circle', 'triangle', 'square')),
            CheckpointError,
            r"trained on the classes \('circle', 'square', 'triangle'\), .*tiny\.py names \('circle', 'triangle'",
            id='classes in another order',
        ),
        pytest.param(
            of_changes(classes=('circle', 'square'), num_classes=3),
            CheckpointError,
            r"trained on the classes .*tiny\.py names \('circle', 'square'\)",
            id='fewer names than classes',
        ),
        pytest.param(of_changes(classes=('a', 'b', 'a')), CheckpointError, 'trained on the classes', id='a name twice'),
        pytest.param(
            of_text(SEVERAL_LABELS),
            ConfigError,
            r'other\.py: ImageClassifier with the head MultiLabelLinearClsHead given, expected an ImageClassifier',
            id='several labels a picture',
        ),
        pytest.param(
            of_text(TWO_STAGES), ConfigError, r'other\.py: FasterRCNN given, expected an SSD', id='two stages'
        ),
        pytest.param(of_text(RETINANET), ConfigError, r'other\.py: RetinaHead given, expected an SSD', id='no SSD'),
        pytest.param(of_text('x = 1'), ConfigError, r'other\.py: this config has no `model`', id='no model'),
        pytest.param(of_sed('keep_ratio=False', 'keep_ratio=True'), ConfigError, 'keep_ratio=True', id='no fixed size'),
        pytest.param(
            of_sed("type='DetDataPreprocessor',", "type='DetDataPreprocessor', pad_size_divisor=128,"),
            ConfigError,
            'input size 96x64: the data preprocessor pads it to 128x128',
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
        export_tiny((config_file, weights), tmp_path / 'out' / 'd.mlpackage')
    assert '\n' not in str(caught.value)
    assert capsys.readouterr().err == '' or make is of_nan_weights
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_graph_that_is_off_is_not_written(
    detector: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, 'WH_RATIO_CLIP', 0.99)  # every box becomes as large as its prior
    with pytest.raises(ParityError, match=r'^exported graph = trained, layer by layer: .*raw_coordinates is farthest'):
        export_tiny(detector, tmp_path / 'd.mlpackage')
    assert list(tmp_path.iterdir()) == []


def test_an_ending_of_no_known_format_is_refused(detector: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"d\.mlmodel: ending '\.mlmodel' given, expected \.mlpackage or \.onnx"):
        export(*detector, tmp_path / 'd.mlmodel')
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_made_and_a_failed_export_leaves_none(
    detector: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / 'new' / 'sub' / 'd.onnx'
    with monkeypatch.context() as faulty:
        faulty.setattr(graph, 'WH_RATIO_CLIP', 0.99)
        with pytest.raises(ParityError):
            export_tiny(detector, out)
    assert list(tmp_path.iterdir()) == []
    export_tiny(detector, out)
    assert sorted(out.parent.iterdir()) == [out, page_of(out)]


def test_each_export_keeps_a_page_of_its_own(detector: tuple[Path, Path], tmp_path: Path) -> None:
    outs = [tmp_path / 'd.mlpackage', tmp_path / 'd.onnx']
    for out in outs:
        export_tiny(detector, out)
    assert sorted(tmp_path.iterdir()) == sorted([*outs, *map(page_of, outs)])
    for out in outs:
        assert f'<title>{out.name} - ' in page_of(out).read_text()


def test_the_report_is_json(exported: Report) -> None:
    report = Config(json.loads(json.dumps(exported.as_dict(), allow_nan=False)))
    assert report.rows == 198
    assert report.columns == 80
    assert report.bytes == sum(file.stat().st_size for file in exported.artifact.rglob('*') if file.is_file())
    assert set(report.seconds) == {'load', 'fuse', 'graph', 'convert', 'save and check', 'report'}


@pytest.mark.parametrize(('evaluate', 'limit'), [(True, 0), (True, -1), (False, 5)])
def test_a_limit_is_for_scoring(evaluate: bool, limit: int, detector: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf'`limit` {limit}: expected a number of pictures from 1, together'):
        export_tiny(detector, tmp_path / 'd.mlpackage', evaluate=evaluate, limit=limit)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_scored_is_refused_before_anything_is_written(
    detector: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    with pytest.raises(ConfigError, match='test'):
        export_tiny(detector, tmp_path / 'd.mlpackage', evaluate=True)
    assert list(tmp_path.iterdir()) == []
    assert 'convert' not in caplog.text


def test_the_cures_of_an_overflow_cure_it_as_printed(detector: tuple[Path, Path], tmp_path: Path) -> None:
    scaled = overflowing(tmp_path, detector, 2.0**15)
    with pytest.raises(ParityError, match='it overflows float16') as stopped:
        export_tiny(scaled, tmp_path / 'd.mlpackage')
    layers = tuple(re.findall(r"`fp32_ops` '([^']+)'", str(stopped.value)))
    assert 'backbone.stage0.reparam_conv' in layers
    assert 'backbone.stage1.0.reparam_conv' in layers  # which takes what overflows
    assert all(layer.startswith('backbone.') for layer in layers)
    report = export_tiny(scaled, tmp_path / 'd.mlpackage', fp32_ops=layers)
    assert report.info.fp32_ops == layers


def test_a_layer_that_is_not_there_is_refused_before_anything_slow(
    detector: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO', logger='mobileone_mm')
    with pytest.raises(UsageError, match=r'`fp32_ops` nek: .*expected such as neck'):
        export_tiny(detector, tmp_path / 'd.mlpackage', fp32_ops=('nek',))
    assert not [record for record in caplog.records if record.getMessage().startswith('fuse')]
