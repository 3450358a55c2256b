"""Every shipped config: short, inheriting only from this repository, able to predict, and equal when fused."""

import ast
from pathlib import Path

import numpy as np
import pytest
from mmdet.apis import inference_detector
from mmengine.config import Config

from mobileone_mm import reparam
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.inputs import example_images
from mobileone_mm.openmmlab.test_data import class_names
from mobileone_mm.parity import FLOAT64_RELATIVE_LIMIT
from mobileone_mm.weights import names

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(path for path in ROOT.glob('configs/*/*.py') if path.parent.name != '_base_')
DETECTORS = [path for path in CONFIGS if path.parent.name == 'detection']
COCO = sorted(ROOT.glob('configs/detection/ssd_mobileone_s?.py'))
OWN = sorted(ROOT.glob('configs/detection/ssd_mobileone_s0_own_*.py'))
MAX_LINES = 60  # house rule 21
# Six to a cell of each map: strides 16 and 32, then halved and rounded up four times.
PRIORS = {320: 6 * (20**2 + 10**2 + 5**2 + 3**2 + 2**2 + 1), 160: 6 * (10**2 + 5**2 + 3**2 + 2**2 + 1 + 1)}


def name(path: Path) -> str:
    return path.stem


def bases(path: Path) -> list[str]:
    """The `_base_` entries of a config, read without running it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            value = ast.literal_eval(node.value)
            return [value] if isinstance(value, str) else list(value)
    return []


def test_there_are_configs() -> None:
    assert len(COCO) == 5
    assert len(OWN) == 2


@pytest.mark.parametrize('path', [*CONFIGS, *ROOT.glob('configs/_base_/*.py')], ids=name)
def test_is_short_and_inherits_only_from_this_repository(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
    for base in bases(path):
        assert (path.parent / base).resolve().is_relative_to(ROOT / 'configs')


@pytest.mark.parametrize('path', COCO, ids=name)
def test_starts_from_the_official_trained_weights_of_its_variant(path: Path) -> None:
    backbone = Config.fromfile(path).model.backbone
    assert backbone.arch == path.stem.rsplit('_', 1)[1]
    expected = names.OFFICIAL_URLS[backbone.arch, 'trained']
    assert backbone.init_cfg == {'type': 'Pretrained', 'checkpoint': expected}


@pytest.mark.parametrize('path', [path for path in DETECTORS if path not in OWN], ids=name)
def test_predicts_and_fuses(path: Path) -> None:
    config = configs.load_config(path)
    config.model.test_cfg.score_thr = 0.0  # a fresh head gives each class 1 / 81
    model = configs.build_model(config)
    # float64, because fresh weights let activations grow until float32 rounding is all that a comparison sees.
    noise = example_images(config, count=1).double()
    fused, parity = reparam.fuse_checked(model.double(), noise)
    assert reparam.is_fused(fused)
    assert parity.relative <= FLOAT64_RELATIVE_LIMIT
    scores, boxes = fused.float()(noise.float(), mode='tensor')
    channels = len(class_names(config)) + 1  # and background, in mmdet's last column
    priors = PRIORS[noise.shape[-1]]
    assert sum(score.numel() for score in scores) == priors * channels
    assert sum(box.numel() for box in boxes) == priors * 4
    fused.cfg = config
    found = inference_detector(fused, np.zeros((90, 120, 3), np.uint8)).pred_instances
    assert len(found) == config.model.test_cfg.max_per_img
    assert found.labels.max() < channels - 1
    # Back in the picture's own pixels, and its longer side is used.
    assert 90 < found.bboxes[:, 2].max() <= 120
    assert found.bboxes[:, 3].max() <= 90


def test_own_data_configs_differ_in_data_alone() -> None:
    coco, voc = (Config.fromfile(path) for path in OWN)
    for key in ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'custom_hooks'):
        assert coco[key] == voc[key], key


@pytest.mark.parametrize('path', OWN, ids=name)
def test_own_data_needs_its_classes_in_one_place(path: Path, tmp_path: Path) -> None:
    lines = (
        path.read_text().replace("'ssd_mobileone_s0.py'", repr(str(path.with_name('ssd_mobileone_s2.py')))).splitlines()
    )
    changed = tmp_path / path.name
    changed.write_text('\n'.join("classes = ('one',)" if line.startswith('classes =') else line for line in lines))
    config = Config.fromfile(changed)
    assert config.model.bbox_head.num_classes == 1
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert tuple(config[loader].dataset.metainfo.classes) == ('one',)
    assert config.model.backbone.arch == 's2'
