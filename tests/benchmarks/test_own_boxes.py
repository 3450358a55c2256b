"""Variants of init's config for boxes: what each changes, what is read from a training's logs, and the table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config, ConfigDict
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.structures import InstanceData
from own_folders import write_voc

import own_boxes
from matching_head import MATCHERS, MatchingHead
from mobileone_mm.errors import MobileOneError, UsageError
from own_boxes import VARIANTS, Trained, config_text, measured, table_of, trained

RESULT = Trained(score=0.5, classes={'cell': 0.4, 'plate': 0.6}, seconds=120.0, latency=10.0)
LOG = """
+-------+-----+------+--------+-------+
| class | gts | dets | recall | ap    |
+-------+-----+------+--------+-------+
| cell  | 57  | 2533 | 0.982  | {cell} |
| plate | 666 | 7025 | 0.997  | {plate} |
+-------+-----+------+--------+-------+
| mAP   |     |      |        | 0.5 |
"""


def config_of(name: str, folder: Path, epochs: int = 6, one_branch: bool = False) -> Config:
    root = write_voc(folder / 'set')
    path = folder / f'{name}.py'
    text = own_boxes.written(str(root), VARIANTS[name])
    path.write_text(config_text(text, name, 3, epochs, folder / 'fused.pth', one_branch))
    return Config.fromfile(path, import_custom_modules=False)


def test_every_variant_trains_as_init_wrote_it_but_for_its_own_lines(tmp_path: Path) -> None:
    found = {name: config_of(name, tmp_path) for name in VARIANTS}
    for name, config in found.items():
        epochs = 6 * VARIANTS[name].epochs
        assert config.train_cfg.max_epochs == config.train_cfg.val_interval == config.param_scheduler[1].end == epochs
        assert config.randomness.seed == 3
        assert config.model.backbone.init_cfg.checkpoint == str((tmp_path / 'fused.pth').resolve())

    assert found['init'].model.backbone.arch == 's0'
    assert (found['init'].model.backbone.train_impl, found['branches'].model.backbone.train_impl) == (
        'auto',
        'branches',
    )
    assert 'EMAHook' in {hook.type for hook in found['ema'].custom_hooks} - {
        hook.type for hook in found['init'].custom_hooks
    }
    assert found['input_416'].input_size == 416
    assert (
        found['input_416'].model.bbox_head.anchor_generator.base_sizes
        != found['init'].model.bbox_head.anchor_generator.base_sizes
    )
    assert found['slower_backbone'].optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult < 1


@pytest.mark.parametrize('matching', MATCHERS)
def test_a_head_that_matches_otherwise_learns_and_predicts_as_an_ssds(matching: str) -> None:
    torch.manual_seed(0)
    sizes = [[(24, 24), (32, 16)], [(48, 48), (64, 40)]]
    anchors = {'type': 'YOLOAnchorGenerator', 'strides': [8, 16], 'base_sizes': sizes}
    coder = {'type': 'DeltaXYWHBBoxCoder', 'target_stds': [0.1, 0.1, 0.2, 0.2]}
    rules = ConfigDict(nms={'type': 'nms', 'iou_threshold': 0.5}, score_thr=0.0, nms_pre=100, max_per_img=1)
    head = MatchingHead(
        matching, num_classes=2, in_channels=(4, 4), anchor_generator=anchors, bbox_coder=coder, test_cfg=rules
    )
    head.init_weights()
    maps = [torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)]
    untrained = head(maps)[0][0][0].reshape(-1, 3, 8, 8).softmax(dim=1)
    assert untrained[:, -1].mean() > 0.9  # background
    box = torch.tensor([[10.0, 12.0, 36.0, 34.0]])
    truth = [InstanceData(bboxes=box, labels=torch.tensor([1]))]
    meta = [{'img_shape': (64, 64), 'batch_input_shape': (64, 64), 'scale_factor': (1.0, 1.0)}]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(150):
        losses = head.loss_by_feat(*head(maps), truth, meta)
        sum(map(sum, losses.values())).backward()
        optimizer.step()
        optimizer.zero_grad()
    (found,) = head.predict_by_feat(*head(maps), batch_img_metas=meta, rescale=False)
    assert found.labels.tolist() == [1]
    assert bbox_overlaps(found.bboxes, box).item() > 0.8
    assert found.scores.item() > 0.5


def test_one_branch_trains_a_convolution_a_block(tmp_path: Path) -> None:
    assert config_of('ema', tmp_path, one_branch=True).model.backbone.arch.num_conv_branches == [1] * 4


def test_the_epochs_of_init_are_those_that_its_config_trains(tmp_path: Path) -> None:
    text = own_boxes.written(str(write_voc(tmp_path / 'set')), VARIANTS['init'])
    path = tmp_path / 'init.py'
    path.write_text(text)
    assert own_boxes.epochs_of(text) == Config.fromfile(path).train_cfg.max_epochs


def test_the_template_has_coarser_maps_and_anchors_that_look_at_no_box(tmp_path: Path) -> None:
    init, template = (config_of(name, tmp_path) for name in ('init', 'template'))
    assert template.model.bbox_head.anchor_generator.type == 'SSDAnchorGenerator'
    assert template.train_dataloader.dataset.ann_file == init.train_dataloader.dataset.ann_file
    assert template.classes == init.classes


def test_coarser_maps_have_anchors_of_their_own(tmp_path: Path) -> None:
    root = write_voc(tmp_path / 'set', side=6)
    maps = {}
    for name in ('init', 'coarser_maps'):
        path = tmp_path / f'{name}.py'
        text = own_boxes.written(str(root), VARIANTS[name])
        path.write_text(config_text(text, name, 0, 6, tmp_path / 'fused.pth', one_branch=True))
        config = Config.fromfile(path, import_custom_modules=False)
        config.model.backbone.init_cfg = None
        init_default_scope('mmdet')
        model = MODELS.build(config.model).eval()
        with torch.no_grad():
            scores, _ = model(torch.zeros(1, 3, 320, 320))
        maps[name] = [tuple(one.shape[1:]) for one in scores]
        assert len(config.anchors) == len(scores)
    per_cell = 4 * (2 + 1)  # anchors; classes and the background
    assert maps['init'] == [(per_cell, side, side) for side in (40, 20, 10)]
    assert maps['coarser_maps'] == [(per_cell, side, side) for side in (40, 20, 10, 5, 3)]
    (tmp_path / 'large').mkdir()
    init, coarser = (config_of(name, tmp_path / 'large') for name in ('init', 'coarser_maps'))
    assert coarser.model == init.model  # which has coarser maps


@pytest.mark.parametrize(
    ('variant', 'step', 'setting', 'values'),
    [
        ('less_hue', 'PhotoMetricDistortion', 'hue_delta', [18, 4]),
        ('larger_crops', 'MinIoURandomCrop', 'min_crop_size', [0.3, 0.7]),
    ],
)
def test_other_settings_reach_the_pipeline_that_trains(
    variant: str, step: str, setting: str, values: Sequence[float], tmp_path: Path
) -> None:
    found = []
    for name in ('init', variant):
        (warp,) = config_of(name, tmp_path).train_dataloader.dataset.pipeline
        (one,) = (each for each in warp.transforms if each.type == step)
        found.append(one[setting])
    assert found == values


def test_mosaics_hold_four_pictures_until_the_last_epochs(tmp_path: Path) -> None:
    config = config_of('mosaic', tmp_path)
    init_default_scope('mmdet')
    pictures = DATASETS.build(config.train_dataloader.dataset)
    boxes = [len(pictures[index]['data_samples'].gt_instances) for index in range(len(pictures))]
    assert pictures[0]['inputs'].shape == (3, 320, 320)
    (switch,) = (hook for hook in config.custom_hooks if hook.type == 'mmdet.YOLOXModeSwitchHook')
    assert switch.num_last_epochs == 2
    pictures.update_skip_type_keys(switch.skip_type_keys)
    assert pictures[0]['inputs'].shape == (3, 320, 320)
    after = [len(pictures[index]['data_samples'].gt_instances) for index in range(len(pictures))]
    assert max(after) <= 4 < max(boxes)  # a picture has four


def test_the_last_scores_of_all_logs_count(tmp_path: Path) -> None:
    with pytest.raises(MobileOneError, match='no log in there tells of a whole training'):
        measured(tmp_path)
    for run, step, cell in (('20260101_000000', 10, 0.1), ('20260102_000000', 30, 0.25)):
        folder = tmp_path / run / 'vis_data'
        folder.mkdir(parents=True)
        lines = [{'loss': 1.0, 'time': 0.5, 'step': step}, {'pascal_voc/AP50': cell, 'time': 9.0, 'step': 1}]
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
        (tmp_path / run / f'{run}.log').write_text(LOG.format(cell=0.9, plate=0.9) + LOG.format(cell=cell, plate=0.5))
    assert measured(tmp_path) == {'score': 0.25, 'classes': {'cell': 0.25, 'plate': 0.5}, 'seconds': 15.0}


def test_what_is_trained_is_not_trained_again(tmp_path: Path) -> None:
    (tmp_path / 'init_seed0.py').write_text('# a config')
    (tmp_path / 'init_seed0.json').write_text(json.dumps({'written_by': 'mobileone_mm', **asdict(RESULT)}))
    assert trained(tmp_path, 'init_seed0', '# a config') == RESULT
    with pytest.raises(UsageError, match='was made with other data or options'):
        trained(tmp_path, 'init_seed0', '# another')


def test_the_table_has_means_over_seeds() -> None:
    better = replace(RESULT, score=0.6, classes={'cell': 0.5, 'plate': 0.7}, latency=9.0)
    lines = table_of({'init': [RESULT, better], 'ema': [RESULT], 'longer': []}).splitlines()
    assert lines[2:] == [
        '| init | as init writes it | 2 | 0.550 (0.500 to 0.600) | 0.450 | 0.650 | 2.0 | 9.0 |',
        '| ema | averaged weights | 1 | 0.500 | 0.400 | 0.600 | 2.0 | 10.0 |',
    ]


def test_wrong_words_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    out, weights = tmp_path / 'out', tmp_path / 'none.pth'
    for words, message in (
        (['--variants', 'k9'], '--variants: k9 given, expected some of init, '),
        ([], 'none.pth: no such file'),
    ):
        with pytest.raises(UsageError, match=message):
            own_boxes.main([str(tmp_path), '--out', str(out), '--weights', str(weights), *words])
    assert not out.exists()
