"""What has to work where one extra alone is installed: python extra_checks.py EXTRA FOLDER.

FOLDER holds detector.mlpackage, raw.onnx and nms.onnx, exported elsewhere, and takes what is written. Runs where no
other extra is installed (benchmarks/extras.py), or where the others cannot be imported (tests/test_extras.py).
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

PICTURES = 8
CONFIG = """
_base_ = __import__('mobileone_mm').config('demo_ssd')
train_dataloader = dict(batch_size=4, dataset=dict(data_root={data!r}))
val_dataloader = dict(dataset=dict(data_root={data!r}))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file={data!r} + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
work_dir = {work!r}
"""


def succeeds(*words: object) -> None:
    """Run a verb of `mobileone`, which has to do its work."""
    from mobileone_mm.__main__ import main

    status = main([str(word) for word in words])
    assert status == 0, f'{words}: status {status}'


def asks_for(extra: str, *words: object) -> None:
    """Run a verb that needs another extra; it has to name that."""
    from mobileone_mm.__main__ import main

    said = StringIO()
    with redirect_stderr(said):
        status = main([str(word) for word in words])
    assert (status, f"pip install 'mobileone-mm[{extra}]'" in said.getvalue()) == (1, True), said.getvalue()


def detection(folder: Path) -> None:
    """Train, test, fuse and score a detector; what an export or a drawing lacks is named."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    succeeds('toy-data', folder / 'data', '--images', PICTURES, '--val', 2, '--size', 96)
    config = folder / 'small.py'
    config.write_text(CONFIG.format(data=f'{folder}/data/', work=f'{folder}/work'))
    Runner.from_cfg(Config.fromfile(config)).train()
    trained = folder / 'work/epoch_1.pth'
    assert (folder / 'work/epoch_1_fused.pth').is_file()
    tested = Config.fromfile(config)
    tested.merge_from_dict({'load_from': str(trained), 'experiment_name': 'test', 'visualizer.name': 'test'})
    assert 'coco/bbox_mAP' in Runner.from_cfg(tested).test()
    succeeds('fuse', config, trained, '--out', folder / 'fused.pth')
    succeeds('evaluate', trained, config)
    succeeds('evaluate', folder / 'fused.pth', config, '--checkpoint', trained)
    asks_for('export', 'export', config, trained, '--out', folder / 'other.mlpackage')
    asks_for('export', 'verify', folder / 'detector.mlpackage')
    asks_for('onnx', 'verify', folder / 'raw.onnx')


def segmentation(folder: Path) -> None:
    """Build a segmenter, fuse it, and read its backbone from a file."""
    head = {'type': 'FCNHead', 'in_channels': 1024, 'channels': 8, 'num_classes': 3, 'num_convs': 1}
    _host(folder, 'mmseg', {'type': 'EncoderDecoder', 'decode_head': head})


def classification(folder: Path) -> None:
    """Build a classifier, fuse it, and read its backbone from a file."""
    head = {'type': 'LinearClsHead', 'num_classes': 3, 'in_channels': 1024}
    _host(folder, 'mmpretrain', {'type': 'ImageClassifier', 'neck': {'type': 'GlobalAveragePooling'}, 'head': head})


def distillation(folder: Path) -> None:
    """The same; and find the teachers that the shipped configs name in timm, whose weights are not asked for."""
    from timm.models import get_pretrained_cfg

    from mobileone_mm.openmmlab import configs

    classification(folder)
    config = configs.load_config('mobileone_s0_distill_in1k')
    assert configs.build_model(config).head.num_classes == 1000
    for teacher in config.model.teachers:
        assert get_pretrained_cfg(teacher.name.removeprefix('timm:')).num_classes == 1000


def _host(folder: Path, scope: str, model: dict[str, object]) -> None:
    import torch
    from mmengine.registry import MODELS, init_default_scope

    from mobileone_mm.reparam import fuse_checked
    from mobileone_mm.weights.checkpoint import load_backbone_weights, save_checkpoint

    init_default_scope(scope)
    built = MODELS.build({**model, 'backbone': {'type': 'mobileone_mm.MobileOne', 'arch': 's0'}})
    assert type(built.backbone).__module__ == 'mobileone_mm.models.backbones.mobileone'
    fuse_checked(built.eval(), torch.randn(1, 3, 64, 64), 1e-3)
    save_checkpoint(folder / 'backbone.pth', built.backbone.state_dict(), None)
    load_backbone_weights(built.backbone, folder / 'backbone.pth')


def export(folder: Path) -> None:
    """Verify and open a Core ML package, and draw what it finds."""
    _artifact(folder, 'detector.mlpackage')
    asks_for('onnx', 'verify', folder / 'raw.onnx')


def onnx(folder: Path) -> None:
    """Verify and open ONNX files, and draw what they find."""
    _artifact(folder, 'raw.onnx')
    _artifact(folder, 'nms.onnx')
    asks_for('export', 'verify', folder / 'detector.mlpackage')


def _artifact(folder: Path, name: str) -> None:
    from mobileone_mm import open_artifact
    from mobileone_mm.pictures.reading import write_picture
    from mobileone_mm.pictures.synthetic import drawn_picture

    artifact = open_artifact(folder / name)
    picture = drawn_picture(artifact.card.input_size)
    assert len(artifact.detect(picture)) > 0
    write_picture(folder / 'drawn.png', picture)
    succeeds('verify', folder / name, '--image', folder / 'drawn.png')
    succeeds('predict', folder / name, folder / 'drawn.png', '--out', folder / f'{name} found')


def pictures(folder: Path) -> None:
    """Draw boxes."""
    import numpy as np

    from mobileone_mm.pictures.drawing import draw_boxes
    from mobileone_mm.pictures.synthetic import drawn_picture

    picture = drawn_picture((96, 64))
    drawn = draw_boxes(picture, np.array([[10.0, 10, 50, 40]]), [0], ['one'], [True])
    assert (drawn != picture).any()
    asks_for('export', 'verify', folder / 'detector.mlpackage')


def robustness(folder: Path) -> None:
    """Corrupt a picture, and build the classifier that it is for."""
    from mobileone_mm.datasets.corrupt import corrupt
    from mobileone_mm.pictures.synthetic import drawn_picture

    picture = drawn_picture((96, 64))
    assert (corrupt(picture, 'fog', 3, 0) != picture).any()
    classification(folder)


def mim(folder: Path) -> None:
    """OpenMMLab's own command line starts."""
    from mim import train

    assert callable(train)


CHECKS: dict[str, Callable[[Path], None]] = {
    check.__name__: check
    for check in (detection, segmentation, classification, distillation, export, onnx, pictures, robustness, mim)
}

if __name__ == '__main__':
    CHECKS[sys.argv[1]](Path(sys.argv[2]).resolve())
