"""What a detector's anchors reach in its training data, against all anchors and boxes as mmdet lays them out."""

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import TASK_UTILS, init_default_scope
from own_folders import tiny_ssd, write_coco
from torch import nn
from torchvision.ops import box_iou

from mobileone_mm.datasets.transforms.one_warp import steps_of
from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.setup.boxes import Resize, boxes_of, resize_of
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.proposal import Wishes
from mobileone_mm.setup.reach import Reach, reach_of

SIDE = 96


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config_for(side: int) -> Config:
    """A written config for boxes of a side, on a tiny backbone."""
    write_coco(Path('data'), side=side, counts=(12, 2))
    return configs.load_config(tiny_ssd(propose('data', Wishes(input_size=(SIDE, SIDE)))))


def with_anchors_of_the_paper(config: Config) -> Config:
    """With the anchors of the COCO configs at this size, on the same maps."""
    changed = copy.deepcopy(config)
    strides = changed.model.bbox_head.anchor_generator.strides
    changed.model.bbox_head.anchor_generator = dict(
        type='SSDAnchorGenerator',
        scale_major=False,
        strides=strides,
        ratios=[[2, 3]] * len(strides),
        min_sizes=[30, 45, 60, 76, 91][: len(strides)],
        max_sizes=[45, 60, 76, 91, 96][: len(strides)],
    )
    return changed


def opened(config: Config) -> tuple[nn.Module, Any]:
    return configs.build_model(config), open_dataset(config, 'train_dataloader')


def brute_force(model: Any, config: Config) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The best IoU of each box with all anchors, and its label, picture by picture, with boxes as mmcv resizes them."""
    still = copy.deepcopy(config)
    still.train_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(SIDE, SIDE), keep_ratio=False),
        dict(type='PackDetInputs'),
    ]
    with torch.no_grad():
        sizes = [one.shape[-2:] for one in model.extract_feat(torch.zeros(1, 3, SIDE, SIDE))]
    priors = torch.cat(model.bbox_head.prior_generator.grid_priors(sizes, device='cpu'))
    instances = [item['data_samples'].gt_instances for item in open_dataset(still, 'train_dataloader')]
    return [box_iou(one.bboxes.tensor, priors).max(dim=1).values for one in instances], [i.labels for i in instances]


def test_shares_are_those_of_all_anchors() -> None:
    config = with_anchors_of_the_paper(config_for(side=14))
    dataset = open_dataset(config, 'train_dataloader')
    best, labels = map(torch.cat, brute_force(configs.build_model(config), config))
    levels = best.unique()
    widest = (levels[1:] - levels[:-1]).topk(4).indices.sort().values  # far from any box's IoU, which is a float32
    least, *thresholds = ((levels[1:] + levels[:-1]) / 2)[widest].tolist()
    for threshold in thresholds:
        config.model.train_cfg.assigner.update(pos_iou_thr=threshold, min_pos_iou=least)
        found = reach_of(configs.build_model(config), dataset)
        assert found is not None
        assert (found.classes, sum(found.counts), found.threshold) == (('cat', 'dog'), len(best), threshold)
        for label, share in enumerate(found.shares):
            assert share == pytest.approx(float((best[labels == label] >= threshold).double().mean()))
        assert found.share == pytest.approx(float((best >= threshold).double().mean()))
        rescued = (best < threshold) & (best >= least)
        assert found.rescued == pytest.approx(float(rescued.double().mean()))
        assert 0 < found.share < 1
    config.model.train_cfg.assigner.update(match_low_quality=False)
    alone = reach_of(configs.build_model(config), dataset)
    assert alone is not None
    assert alone.rescued == 0


def test_anchors_for_more_maps_than_the_model_makes_are_refused_and_for_fewer_are_not() -> None:
    config = with_anchors_of_the_paper(config_for(30))
    fewer = copy.deepcopy(config)
    for name, values in fewer.model.bbox_head.anchor_generator.items():
        if isinstance(values, list):
            fewer.model.bbox_head.anchor_generator[name] = values[:-1]
    fewer.model.bbox_head.in_channels = fewer.model.bbox_head.in_channels[:-1]
    whole, without_last = reach_of(*opened(config)), reach_of(*opened(fewer))
    assert whole is not None
    assert without_last is not None
    assert without_last.share == whole.share == 1  # small boxes, which the last map has no anchors for
    config.model.backbone.out_indices = config.model.backbone.out_indices[:-1]
    with pytest.raises(ConfigError, match=r'model\.bbox_head\.anchor_generator has anchors for 3 maps, .* make 2: '):
        reach_of(*opened(config))


def test_the_model_is_left_as_it_was() -> None:
    model, dataset = opened(config_for(side=20))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reach_of(model, dataset)
    assert model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_lines_for_the_config_do_what_they_say() -> None:
    """Anchors of the paper on small boxes: a warning, whose lines reach what it says they reach."""
    config = with_anchors_of_the_paper(config_for(side=14))
    model, dataset = opened(config)
    found = reach_of(model, dataset)
    assert found is not None
    assert found.low
    assert found.share < 0.3
    text = found.warning()
    assert text.startswith(f'anchors reach {100 * found.share:.0f} % of the boxes at an IoU of 0.5 (')
    lines = '\n'.join(found.lines)
    pasted = Config.fromstring(f'model = dict({lines})', '.py').model
    better = copy.deepcopy(config)
    better.model.bbox_head.anchor_generator = pasted.bbox_head.anchor_generator
    better.model.bbox_head.anchor_generator.pop('_delete_')
    now = reach_of(*opened(better))
    assert now is not None
    assert now.share == pytest.approx(found.better)
    assert now.share > found.share + 0.5
    assert text.endswith('\n'.join(f'    {line}' for line in found.lines))


def test_lines_for_a_finer_map_build_a_model() -> None:
    """A config whose maps begin at a stride of 16 px, on boxes for which that is too coarse."""
    write_coco(Path('data'), side=40, counts=(12, 2))
    coarse = tiny_ssd(propose('data', Wishes(input_size=(SIDE, SIDE))), channels=(32, 64, 32, 32, 32, 32))
    config = configs.load_config(coarse)
    assert tuple(config.model.backbone.out_indices) == (2, 3)
    write_coco(Path('data'), side=8, counts=(12, 2))
    found = reach_of(*opened(config))
    assert found is not None
    assert found.lines[0] == 'backbone=dict(out_indices=(1, 2, 3)),'
    inner = '\n'.join(found.lines).replace('_delete_=True,', '')
    better = copy.deepcopy(config)
    merged = Config.fromstring(f'model = dict({inner})', '.py').model
    better.model.backbone.update(merged.backbone)
    better.model.neck = merged.neck
    better.model.bbox_head.in_channels = merged.bbox_head.in_channels
    better.model.bbox_head.anchor_generator = merged.bbox_head.anchor_generator
    now = reach_of(*opened(better))
    assert now is not None
    assert now.share == pytest.approx(found.better)
    assert now.share > found.share + 0.3


def reach(*shares: float, rescued: float = 0.0, lines: tuple[str, ...] = ()) -> Reach:
    names = tuple(f'class {index}' for index in range(len(shares)))
    known = [share for share in shares if not math.isnan(share)]
    return Reach(names, (9,) * len(shares), shares, sum(known) / len(known), 0.5, rescued, 0.0, lines, 0.97)


def test_what_is_said() -> None:
    assert reach(1.0, 0.9).said() == 'anchors reach 95 % of the boxes at an IoU of 0.5 (class 1 90 %, class 0 100 %)'
    assert reach(1.0, 0.8, rescued=0.1).said().endswith('; another 10 % have only their best one, from an IoU of 0 on')
    assert not reach(1.0, 0.8).low
    low = reach(0.9, 0.1, math.nan, 0.79)
    assert low.low == ('class 1', 'class 3')  # least first, and nothing of one without boxes
    assert 'class 2' not in low.said()
    assert low.warning().endswith('Larger inputs reach more of small boxes (docs/own_data.md)')
    assert reach(0.1, lines=('a', 'b')).warning().endswith("reach 97 %; in the config's `model`:\n    a\n    b")
    many = reach(*(0.5 + index / 100 for index in range(12))).said()
    assert re.search(r'class 9 59 %, more of 2 others\)$', many)


def test_nothing_is_said_of_other_models_and_data() -> None:
    model, dataset = opened(config_for(side=20))
    assert reach_of(nn.Linear(1, 1), dataset) is None
    init_default_scope('mmdet')
    assert resize_of(dataset) == Resize((SIDE, SIDE))
    kept = [step for step in steps_of(dataset.pipeline) if type(step).__name__ != 'Resize']
    dataset.pipeline.transforms = kept
    assert resize_of(dataset) is None
    assert reach_of(model, dataset) is None
    by_cost = TASK_UTILS.build({'type': 'ATSSAssigner', 'topk': 9})
    _, dataset = opened(config_for(side=20))
    model.bbox_head.assigner = by_cost
    assert reach_of(model, dataset) is None


def test_boxes_are_read_through_wrappers_and_some_of_many_pictures() -> None:
    config = config_for(side=20)
    inner = copy.deepcopy(config.train_dataloader.dataset)
    config.train_dataloader.dataset = dict(type='RepeatDataset', times=3, dataset=inner)
    dataset = open_dataset(config, 'train_dataloader')
    assert resize_of(dataset) == Resize((SIDE, SIDE))
    assert boxes_of(dataset).pictures == 36
    some = boxes_of(dataset, most=10)
    assert some.pictures == 10
    assert len(some.xyxy) == 40
