"""What tables 5 and 6 of the paper ask, on your own pictures: what branches bring in training; and squeeze-excite.

    python benchmarks/ablations.py photos/ --out FOLDER
    python benchmarks/ablations.py photos/ --out FOLDER --weights mobileone_s0.pth.tar --seeds 0 1 2

Trains variants of MobileOne-S0 on a folder with train/ and val/ and in them a folder for each class, on small pictures,
all for as many epochs: from scratch, as in the paper, which takes many pictures; or, with --weights, from fused weights
of S0, whose kernels are expanded into each variant's branches. Each variant is a config in FOLDER of a few changed
lines, which `mobileone train` trains by itself. A variant that was trained is not trained again: stopped, the same
command goes on. Ends in a table beside the paper's figures, ablations.md.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from measured import table
from mobileone_mm import cli
from mobileone_mm.atomic import replacing
from mobileone_mm.errors import UsageError
from mobileone_mm.openmmlab.config_text import without_double_braces
from mobileone_mm.openmmlab.own_config import own_config
from mobileone_mm.reparam import fuse
from mobileone_mm.setup.layouts import class_layout
from timing import parameters
from trainings import logged, open_folder, result_of

WHAT = 'ablations'
TEMPLATE = 'mobileone_s0_own_classes'
TABLE = 'ablations.md'
TOP1 = 'accuracy/top1'  # in mmengine's log
BLOCKS = [2, 8, 10, 1]  # of S0, by stage
MILLION = 1e6
VARIANT = """
# --- the variant: {name} ---
model['backbone'].update(arch=dict(_delete_=True, **{arch}), init_cfg={init_cfg})
train_dataloader.update(num_workers=1)
val_dataloader.update(num_workers=1)
train_cfg.update(val_interval=max_epochs)
default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1, save_best=None), logger=dict(interval=10))
randomness = dict(seed={seed})
"""
FROM_SCRATCH = """
model['train_cfg'] = None  # no pictures are mixed: this is short
optim_wrapper['optimizer'].update(lr=1e-3)
del optim_wrapper['paramwise_cfg']  # the head is no newer than the rest
"""


@dataclass(frozen=True)
class Options:
    """What all variants are trained with.

    Attributes:
        data: folder with train/ and val/.
        epochs: of each training.
        size: of the pictures, in px.
        weights: fused weights of S0 to begin with; None to train from scratch.
    """

    data: Path
    epochs: int
    size: int
    weights: Path | None


@dataclass(frozen=True)
class Variant:
    """MobileOne-S0 with other branches.

    Attributes:
        k: convolution branches of a unit.
        scale: whether depthwise units have a 1x1 branch.
        skip: whether units that keep their shape have a BatchNorm branch.
        squeeze: whether all units squeeze and excite.
        paper: the paper's top-1 on ImageNet, in percent; None where it has none.
    """

    k: int
    scale: bool = True
    skip: bool = True
    squeeze: bool = False
    paper: float | None = None

    @property
    def arch(self) -> dict[str, Any]:
        """As the backbone takes it."""
        return {
            'num_blocks': BLOCKS,
            'width_factor': [0.75, 1.0, 1.0, 2.0],
            'num_conv_branches': [self.k] * 4,
            'num_se_blocks': BLOCKS if self.squeeze else [0] * 4,
            'use_scale': self.scale,
            'use_skip': self.skip,
        }


# Top-1 of S0: table 6 for k; table 5 has 71.4 with branches (k = 4) and 69.6 without any.
VARIANTS = {
    'k1': Variant(1, paper=70.9),
    'k2': Variant(2, paper=70.7),
    'k3': Variant(3, paper=71.3),
    'k4': Variant(4, paper=71.4),
    'k5': Variant(5, paper=71.1),
    'no_scale': Variant(1, scale=False),
    'no_skip': Variant(1, skip=False),
    'plain': Variant(1, scale=False, skip=False, paper=69.6),
    'squeeze': Variant(1, squeeze=True),
}


@dataclass(frozen=True)
class Trained:
    """What came of one training.

    Attributes:
        parameters: while it is trained.
        fused: parameters afterwards.
        seconds: of a step, the mean of the last 50.
        loss: in training, the mean of the last 50 steps.
        top1: on the validation pictures, in percent.
    """

    parameters: int
    fused: int
    seconds: float
    loss: float
    top1: float


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is not trained yet, print and write the table; returns the exit status."""
    args = _parser().parse_args(argv)
    options = Options(args.data, args.epochs, args.size, args.weights)
    names = _possible(args.variants, options)
    texts = {(name, seed): config_text(name, seed, options) for seed in args.seeds for name in names}
    open_folder(args.out, WHAT)
    results: dict[str, list[Trained]] = {name: [] for name in names}
    for (name, seed), text in texts.items():
        results[name].append(trained(args.out, f'{name}_seed{seed}', text))
    begin = 'from scratch' if options.weights is None else f'from {options.weights.name}'
    epochs = '1 epoch' if options.epochs == 1 else f'{options.epochs} epochs'
    seeds = f'{"seed" if len(args.seeds) == 1 else "seeds"} {", ".join(map(str, args.seeds))}'
    result = f'{begin}, {epochs} at {options.size} px, {seeds}'
    result += f'\n\n{table_of(results)}'
    cli.result(result)
    with replacing(args.out / TABLE) as fresh:  # the folder is known to be ours
        fresh.write_text(f'{result}\n', encoding='utf-8')
    return 0


def config_text(name: str, seed: int, options: Options) -> str:
    """The config of a variant: the template for own class folders, filled in, and what differs.

    Raises:
        UsageError: there are no class folders to train on, or none to validate on.
    """
    data = options.data
    if not data.is_dir():
        raise UsageError(f'{data}: no such folder; give one with train/ and val/, and in them a folder for each class')
    found = class_layout(data)
    if found.missing:
        raise UsageError(f'{data}: expected {", and ".join(found.missing)}')
    if found.lines['val_folder'] is None:
        raise UsageError(
            f'{data}: found no val/ with a folder for each class; expected both train/ and val/ with such folders; '
            'move some pictures of each class into val/'
        )
    lines = {**found.lines, 'input_size': options.size, 'train_size': options.size, 'max_epochs': options.epochs}
    text = own_config(TEMPLATE, found.classes, str(data.resolve()), lines)
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(options.weights.resolve())} if options.weights else None
    text += VARIANT.format(name=name, arch=VARIANTS[name].arch, init_cfg=init_cfg, seed=seed)
    return without_double_braces(text if options.weights else text + FROM_SCRATCH)


def trained(out: Path, name: str, text: str) -> Trained:
    """What came of a training that was done before, else of one that is done now.

    Raises:
        UsageError: it was trained before with other settings.
        MobileOneError: the training failed.
    """
    found = result_of(out, name, text, _measured)
    return Trained(**{field.name: found[field.name] for field in fields(Trained)})


def _measured(config: Path, work_dir: Path) -> dict[str, Any]:
    trained_size, fused_size = sizes(config)
    return asdict(Trained(parameters=trained_size, fused=fused_size, **measured(work_dir)))


def sizes(config: Path) -> tuple[int, int]:
    """Parameters of a config's model in training and fused."""
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(config).model)
    return parameters(model), parameters(fuse(model))


def measured(work_dir: Path) -> dict[str, float]:
    """What mmengine's log says of the end of a training: seconds of a step, loss, top-1.

    Raises:
        MobileOneError: it has no such lines.
    """
    steps, top1 = logged(work_dir, TOP1)
    return {'seconds': steps[-1]['time'], 'loss': steps[-1]['loss'], 'top1': top1}


def table_of(results: Mapping[str, Sequence[Trained]]) -> str:
    """A line for each variant: means over the seeds, and the range of the accuracies."""
    head = ['', 'conv branches (k)', 'scale', 'skip', 'squeeze-excite', 'parameters, M: trained', 'fused']
    head += ['s a step', 'loss', 'top-1 here, % (range)', "top-1 on ImageNet, %: the paper's S0"]
    return table(head, [_line(name, found) for name, found in results.items()])


def _line(name: str, found: Sequence[Trained]) -> list[object]:
    variant = VARIANTS[name]
    yes = {True: 'yes', False: 'no'}
    top1 = [one.top1 for one in found]
    spread = f' ({min(top1):.1f} to {max(top1):.1f})' if len(top1) > 1 else ''
    return [
        name,
        variant.k,
        *(yes[part] for part in (variant.scale, variant.skip, variant.squeeze)),
        f'{found[0].parameters / MILLION:.2f}',
        f'{found[0].fused / MILLION:.2f}',
        f'{statistics.mean(one.seconds for one in found):.2f}',
        f'{statistics.mean(one.loss for one in found):.2f}',
        f'{statistics.mean(top1):.1f}{spread}',
        variant.paper,
    ]


def _possible(names: Sequence[str], options: Options) -> list[str]:
    """The variants that can be trained; says which cannot.

    Raises:
        UsageError: a name that is none, or weights that are not there.
    """
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise UsageError(f'--variants: {", ".join(unknown)} given, expected some of {", ".join(VARIANTS)}')
    if options.weights is None:
        return list(names)
    if not options.weights.is_file():
        raise UsageError(f'--weights {options.weights}: no such file')
    left_out = [name for name in names if VARIANTS[name].squeeze]
    if left_out:
        cli.say(f'left out: {", ".join(left_out)}; weights of S0 have no squeeze-excite, train it from scratch')
    return [name for name in names if name not in left_out]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, metavar='DATA', help='folder with train/ and val/')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder for configs, trainings, table')
    parser.add_argument(
        '--variants', nargs='+', default=[*VARIANTS], metavar='NAME', help=f'some of {", ".join(VARIANTS)}'
    )
    parser.add_argument('--weights', type=Path, metavar='FILE', help='fused weights of S0 to begin with')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0], metavar='N', help='a training for each (0)')
    parser.add_argument('--epochs', type=int, default=15, help='of each training (15)')
    parser.add_argument('--size', type=int, default=96, help='of the pictures, in px (96)')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
