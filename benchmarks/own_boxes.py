"""What the choices of `mobileone init` bring on a set of boxes: each beside its score, and what was tried besides.

    python benchmarks/own_boxes.py photos/ --out FOLDER --weights mobileone_s0.pth.tar
    python benchmarks/own_boxes.py photos/ --out FOLDER --weights mobileone_s0.pth.tar --variants init --seeds 0 1 2
    python benchmarks/own_boxes.py photos/ --out FOLDER --weights mobileone_s0.pth.tar --one-branch --epochs 24

Writes a config for the folder as `mobileone init` does, and for each variant the same with some lines more. Trains them
with `mobileone train` from fused weights of S0, all for as many epochs (those that init chose, if none are given). A
variant that was trained is not trained again: stopped, the same command goes on. Ends in a table, own_boxes.md: mAP50
of the validation pictures by mmdet's own metric, and ms for one picture of the network in ONNX Runtime on one core
(own_boxes_latency.py times several in turns).
"""

import argparse
import functools
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from measured import table
from mobileone_mm import cli
from mobileone_mm.atomic import replacing
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.config_text import without_double_braces
from mobileone_mm.reparam import fuse
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.folder import look
from mobileone_mm.setup.proposal import Wishes, draft_of
from mobileone_mm.tasks.detection.graph import DetectorGraph
from timing import RUNS, in_onnx_runtime
from trainings import logged, open_folder, result_of

WHAT = 'own_boxes'
TABLE = 'own_boxes.md'
AP50 = ('pascal_voc/AP50', 'coco/bbox_mAP_50')  # in mmengine's log
CLASS_LINE = re.compile(
    r'^\| (?P<name>.+?) +\| +\d+ +\| +\d+ +\| [\d.]+ +\| (?P<ap>[\d.]+) +\|$', re.M
)  # mmdet's table
TRAINING = """
# --- the training: {name} ---
max_epochs = {epochs}
model['backbone'].update(init_cfg=dict(type='Pretrained', checkpoint={weights!r}))
train_dataloader.update(num_workers=1)
val_dataloader.update(num_workers=1)
train_cfg.update(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1, save_best=None), logger=dict(interval=10))
randomness = dict(seed={seed})
"""
EPOCHS = re.compile(r'^max_epochs = (\d+)', re.M)


@dataclass(frozen=True)
class Variant:
    """What differs from the config that init writes.

    Attributes:
        why: in a few words, for the table.
        lines: at the end of the config.
        side: of the input, in px; None: init's.
        epochs: as a multiple of the others'.
        by_hand: the template for such a set with classes and paths filled in, instead of init's config.
    """

    why: str
    lines: str = ''
    side: int | None = None
    epochs: int = 1
    by_hand: bool = False


ONE_BRANCH = """
arch = dict(num_blocks=[2, 8, 10, 1], width_factor=[0.75, 1.0, 1.0, 2.0], num_se_blocks=[0] * 4)
model['backbone'].update(arch=dict(_delete_=True, num_conv_branches=[1] * 4, **arch))
"""
EMA = "\ncustom_hooks = [*_base_.custom_hooks, dict(type='EMAHook', momentum=0.02, update_buffers=True)]\n"
SLOWER_BACKBONE = "\noptim_wrapper['paramwise_cfg'] = dict(custom_keys=dict(backbone=dict(lr_mult=0.3)))\n"
MATCHED = """
custom_imports = dict(imports=['matching_head'], allow_failed_imports=False)
model['bbox_head'].update(type='mmdet.MatchingHead', matching={matching!r})
"""
# Four pictures in one, then a crop of it, until the last third of the epochs; init's crops and flips otherwise.
MOSAIC = """
size = (input_size, input_size)
mixed = [
    dict(type='mmdet.Mosaic', img_scale=size),
    dict(type='mmdet.RandomAffine', max_rotate_degree=0.0, max_shear_degree=0.0, scaling_ratio_range=(0.7, 1.4),
         border=(-input_size // 2, -input_size // 2)),
]
pictures = dict(train_dataloader['dataset'], pipeline=[*train_pipeline[:2], dict(type='Resize', scale=size)])
pictures = dict({'type': 'mobileone_mm.CocoDataset'}, **pictures)
pictures['data_prefix'] = {key: value for key, value in pictures['data_prefix'].items() if key != '_delete_'}
mixing = dict(_delete_=True, type='mmdet.MultiImageMixDataset', dataset=pictures)
train_dataloader.update(dataset=dict(mixing, pipeline=[*mixed, *train_pipeline[2:]]))
last = dict(num_last_epochs=max_epochs // 3, skip_type_keys=('mmdet.Mosaic', 'mmdet.RandomAffine'))
custom_hooks = [*_base_.custom_hooks, dict(type='mmdet.YOLOXModeSwitchHook', **last)]
"""
CROPS = """
own_crops = dict({changed})
train_pipeline[:] = [dict(step, **own_crops) if step['type'] == 'MinIoURandomCrop' else step for step in train_pipeline]
"""
COLOURS = """
own_colours = dict({changed})
train_pipeline[:] = [
    dict(step, **own_colours) if step['type'] == 'PhotoMetricDistortion' else step for step in train_pipeline
]
"""
COARSER_MAPS = """
if model['neck'] is None:  # else init has chosen coarser maps, too
    channels, strides = (*channels, 512, 256), [*strides, 64, 107]
    anchors += [
        [(207, 207), (246, 246), (292, 159), (159, 292)],
        [(284, 284), (302, 302), (321, 207), (207, 321)],
    ]
    finer = dict(in_channels=channels[: len(out_indices)], out_channels=channels, norm_cfg=norm_cfg)
    model['neck'] = dict(finer, level_strides=(2, 2), level_paddings=(1, 1))
    model['bbox_head'].update(in_channels=channels)
    model['bbox_head']['anchor_generator'].update(strides=strides, base_sizes=anchors)
"""
VARIANTS = {
    'init': Variant('as init writes it'),
    'template': Variant('the template, which does not look at the boxes', '\ninput_size = 320\n', by_hand=True),
    'branches': Variant(
        'branch by branch: docs/training-cost.md', "\nmodel['backbone'].update(train_impl='branches')\n"
    ),
    'ema': Variant('averaged weights', EMA),
    'mosaic': Variant('mosaics of four pictures in two thirds of the epochs', MOSAIC),
    'coarser_maps': Variant('two more maps, of 5 x 5 and 3 x 3 cells, that a neck adds', COARSER_MAPS),
    'larger_crops': Variant('crops of 0.7 of the sides or more, not 0.3', CROPS.format(changed='min_crop_size=0.7')),
    'less_hue': Variant('hues that move by 4 degrees at most, not 18', COLOURS.format(changed='hue_delta=4')),
    'slower_backbone': Variant('a third of the learning rate for the backbone', SLOWER_BACKBONE),
    'longer': Variant('twice as many epochs', epochs=2),
    'higher_rate': Variant('twice the learning rate', "\noptim_wrapper['optimizer'].update(lr=2e-3)\n"),
    'input_416': Variant('an input of 416 px', side=416),
    'soft_labels': Variant('labels by the IoU of the predicted box, GIoU', MATCHED.format(matching='iou')),
    'atss': Variant('the same, matched by ATSS', MATCHED.format(matching='atss')),
    'task_aligned': Variant('the same, matched by what predicts best', MATCHED.format(matching='task_aligned')),
}


@dataclass(frozen=True)
class Trained:
    """What came of one training.

    Attributes:
        score: mAP50 on the validation pictures, in 0..1.
        classes: AP50 of each class; empty where the metric says none.
        seconds: of all steps.
        latency: ms of the exported network, the fastest run.
    """

    score: float
    classes: Mapping[str, float]
    seconds: float
    latency: float


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is not trained yet, print and write the table; returns the exit status."""
    args = _parser().parse_args(argv)
    require_variants(args.variants)
    if not args.weights.is_file():
        raise UsageError(f'--weights {args.weights}: no such file')
    texts = {name: written(str(args.data), VARIANTS[name]) for name in args.variants}
    epochs = args.epochs or epochs_of(written(str(args.data), VARIANTS['init']))
    open_folder(args.out, WHAT)
    results: dict[str, list[Trained]] = {name: [] for name in args.variants}
    for seed in args.seeds:
        for name in args.variants:
            text = config_text(texts[name], name, seed, epochs, args.weights, args.one_branch)
            results[name].append(trained(args.out, f'{name}_seed{seed}', text))
            result = table_of(results)
            with replacing(args.out / TABLE) as fresh:  # the folder is known to be ours
                fresh.write_text(f'{result}\n', encoding='utf-8')
    cli.result(result)
    return 0


def require_variants(names: Sequence[str]) -> None:
    """Refuse unknown ones.

    Raises:
        UsageError: there are some.
    """
    if unknown := [name for name in names if name not in VARIANTS]:
        raise UsageError(f'--variants: {", ".join(unknown)} given, expected some of {", ".join(VARIANTS)}')


@functools.cache
def written(folder: str, variant: Variant) -> str:
    """What init writes for a folder, without a variant's lines."""
    wishes = Wishes(input_size=variant.side and (variant.side, variant.side))
    if variant.by_hand:
        return draft_of(look(Path(folder)), folder, wishes).text()
    return propose(folder, wishes).text


def epochs_of(text: str) -> int:
    """How many epochs init chose in a config."""
    found = EPOCHS.search(text)
    assert found is not None
    return int(found[1])


def config_text(text: str, name: str, seed: int, epochs: int, weights: Path, one_branch: bool = False) -> str:
    """The config of a variant: what init wrote, the training's lines, and the variant's."""
    count = epochs * VARIANTS[name].epochs
    training = TRAINING.format(name=name, epochs=count, weights=str(weights.resolve()), seed=seed)
    return without_double_braces(text + training + (ONE_BRANCH if one_branch else '') + VARIANTS[name].lines)


def trained(out: Path, name: str, text: str) -> Trained:
    """What came of a training that was done before, else of one that is done now.

    Raises:
        UsageError: it was trained before with other settings.
        MobileOneError: the training failed.
    """
    found = result_of(out, name, text, lambda config, work_dir: {**measured(work_dir), 'latency': latency(config)})
    return Trained(**{field.name: found[field.name] for field in fields(Trained)})


def measured(work_dir: Path) -> dict[str, Any]:
    """What mmengine's logs say of a training: its last score, that of each class, seconds of all steps.

    Raises:
        MobileOneError: they have no such lines.
    """
    steps, score = logged(work_dir, *AP50)
    text = max(work_dir.glob('*/*.log')).read_text(encoding='utf-8').rpartition('| class')[2]  # the last table
    classes = {found['name']: float(found['ap']) for found in CLASS_LINE.finditer(text)}
    seconds = statistics.mean(line['time'] for line in steps) * steps[-1]['step']
    return {'score': score, 'classes': classes, 'seconds': seconds}


def latency(config: Path) -> float:
    """ms of the network of a config in ONNX Runtime on one core, for one picture."""
    return min(in_onnx_runtime(*network_of(config))(5 * RUNS))


def network_of(config: Path) -> tuple[nn.Module, int]:
    """The fused network with softmax and decoding, its weights by chance, and the side of its input in px."""
    init_default_scope('mmdet')
    settings = Config.fromfile(config)
    settings.model.backbone.init_cfg = None
    model: Any = MODELS.build(settings.model)
    side: int = settings.input_size
    return nn.Sequential(DetectorGraph(fuse(model).eval(), (side, side)), Joined()), side


class Joined(nn.Module):
    """One output from several with as many rows."""

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        return torch.cat(tuple(outputs), dim=1)


def table_of(results: Mapping[str, Sequence[Trained]]) -> str:
    """A line for each variant that was trained: means over the seeds, and the range of the scores."""
    done = {name: found for name, found in results.items() if found}
    classes = next(iter(done.values()))[0].classes
    head = ['', 'what differs', 'seeds', 'mAP50 (range)', *classes, 'training, min', 'latency, ms']
    return table(head, [_line(name, found, tuple(classes)) for name, found in done.items()])


def _line(name: str, found: Sequence[Trained], classes: Sequence[str]) -> list[object]:
    scores = [one.score for one in found]
    spread = f' ({min(scores):.3f} to {max(scores):.3f})' if len(scores) > 1 else ''
    return [
        name,
        VARIANTS[name].why,
        len(found),
        f'{statistics.mean(scores):.3f}{spread}',
        *(f'{statistics.mean(one.classes[each] for one in found):.3f}' for each in classes),
        f'{statistics.mean(one.seconds for one in found) / 60:.1f}',
        f'{min(one.latency for one in found):.1f}',
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, metavar='DATA', help='folder with boxes, as for `mobileone init`')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for configs, trainings, table')
    parser.add_argument('--weights', type=Path, required=True, metavar='FILE', help='fused weights of S0')
    parser.add_argument(
        '--variants', nargs='+', default=[*VARIANTS], metavar='NAME', help=f'some of {", ".join(VARIANTS)}'
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], metavar='N', help='a training for each (0)')
    parser.add_argument(
        '--one-branch', action='store_true', help='train one convolution a block, which takes less time'
    )
    parser.add_argument('--epochs', type=int, help='of each training (those that init chose)')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
