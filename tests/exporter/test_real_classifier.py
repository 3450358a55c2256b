"""Apple's own S0 on 200 pictures of ImageNet, through the package: the protocol of 256 and 224 pixels, kept inside."""

from pathlib import Path
from textwrap import dedent

import pytest

from mobileone_mm import config
from mobileone_mm.exporter.export import export

TOP1, TOP5 = 157, 187  # of the 200 pictures, in torch
ONE = 0.5  # picture, in percent of 200
CONFIG = """
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    ),
    backbone=dict(type='mobileone_mm.MobileOne', arch='s0'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=1000, in_channels=1024),
)
test_dataloader = dict(
    dataset=dict(
        type='ImageNet',
        ann_file={ann_file!r},
        data_prefix={prefix!r},
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='ResizeEdge', scale=256, edge='short'),
            dict(type='CenterCrop', crop_size=224),
            dict(type='PackInputs'),
        ],
    )
)
test_evaluator = dict(type='Accuracy', topk=(1, 5))
"""


def write_config(folder: Path, data: Path) -> Path:
    rows = [line.split('\t') for line in (data / 'classes.txt').read_text().splitlines()]
    labels = {synset: label for label, synset, _ in rows}
    pictures = sorted((data / 'val').rglob('*.*'))
    lines = [f'{path.relative_to(data / "val")} {labels[path.parent.name]}' for path in pictures]
    (folder / 'pictures.txt').write_text('\n'.join(lines))
    values = {'ann_file': str(folder / 'pictures.txt'), 'prefix': str(data / 'val')}
    (folder / 's0.py').write_text(dedent(CONFIG.format(**values)))
    return folder / 's0.py'


def test_the_package_is_right_as_often_as_the_model(real_data: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, real_data / 'data/imagenet_sample200')
    weights = real_data / 'weights/mobileone_s0/mobileone_s0.pth.tar'
    report = export(config, weights, tmp_path / 's0.mlpackage', evaluate=True)
    assert not report.info.failed
    assert report.info.input_size == (256, 256)
    assert report.info.settings == {'crop_inside': 224, 'resize': {'backend': 'cv2', 'interpolation': 'bilinear'}}
    assert [name for name in report.info.classes if 'crane (' in name] == ['crane (134)', 'crane (517)']
    assert report.scores is not None
    model, package = (row.metrics for row in report.scores.rows)
    for metrics, others in ((model, {'accuracy/top1': TOP1 / 2, 'accuracy/top5': TOP5 / 2}), (package, model)):
        for name in ('accuracy/top1', 'accuracy/top5'):
            assert abs(metrics[name] - others[name]) <= ONE + 1e-4, name


@pytest.mark.filterwarnings('ignore::RuntimeWarning')  # by coremltools, of channels of zeros
@pytest.mark.parametrize(
    ('crop_inside', 'pictures'),
    [
        ('yes', []),  # the drawn picture, whose most probable class changes
        ('no', ['n03042490/n03042490_0.JPEG']),  # whose logits move most, of all 200
    ],
)
def test_int8_weights_of_apples_are_no_defect(
    crop_inside: str, pictures: list[str], real_data: Path, tmp_path: Path
) -> None:
    weights = real_data / 'weights/mobileone_s0/mobileone_s0.pth.tar'
    images = [real_data / 'data/imagenet_sample200/val' / name for name in pictures]
    options = {'weights': 'int8', 'crop_inside': crop_inside}
    report = export(config('mobileone_s0_in1k'), weights, tmp_path / 's0.mlpackage', options=options, images=images)
    assert not report.info.failed
    rungs = [rung for rung in report.rungs if 'int8 weights' in rung.name]
    worst = {rung.unit: rung.value for rung in rungs}
    assert worst['of range'] is not None
    assert worst['of range'] > 0.1, 'int8 does move them'
