"""`mobileone train`: mmengine's training, one line per epoch."""

import argparse
import os
from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CONFIG, require_kind
from mobileone_mm.errors import INTERRUPTED
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.tasks.by_name import TASKS
from mobileone_mm.training import ranks

HELP = """example: %(prog)s ssd_mobileone_s2

Trains as mmdet's, mmseg's and mmpretrain's own tools/train.py do (docs/train.md). On the screen: one line per epoch.
Warnings (dropped boxes, weights that do not fit) get a line each, and the best checkpoint comes last. Curves, results
of each class and pictures are on a page in the work dir, training.html, which is kept up to date; mmengine's whole log
is a file there too (docs/watching.md).

On two GPUs: torchrun --nproc-per-node 2 -m mobileone_mm train ssd_mobileone_s2"""
AUTO = 'auto'


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, train, name the best checkpoint; returns the exit status."""
    args = _parser().parse_args(argv)
    require_kind(args.config, [A_CONFIG], cli.command('train', 'CONFIG'))
    config = str(find_config(args.config))
    if ranks.rank() == 0 and not args.plain:
        cli.fact('config', args.config)  # before the imports, which take seconds
    from mobileone_mm.training import run
    from mobileone_mm.training.settings import Options

    options = Options(
        args.work_dir, tuple(args.cfg_options), args.resume, args.amp, args.auto_scale_lr, args.no_check, args.weights
    )
    if args.plain:
        cli.keep_tracebacks()
        run.train_plainly(config, options)
        return 0
    try:
        done = run.train(config, options)
    except run.Interrupted as stopped:
        saved = f'{run.shown(stopped.saved)} is saved' if stopped.saved else 'no checkpoint was saved yet'
        cli.say(f'stopped{f" in {stopped.place}" if stopped.place else ""}; {saved}')
        _say_how_to_go_on(args, AUTO if stopped.saved else args.resume)
        return INTERRUPTED
    if ranks.rank() != 0:
        return 0
    checkpoint = done.last
    if done.best:
        checkpoint = done.best.path
        cli.result(f'best      {run.shown(checkpoint)}: {done.best.metric} {done.best.value}')
    elif done.last:
        cli.result(f'last      {run.shown(done.last)} (no best checkpoint: that takes validation and save_best)')
    if done.page:
        cli.result(f'page      {run.shown(done.page)}')
    if checkpoint:
        named = str(run.shown(done.config)) if args.cfg_options else args.config
        path = str(run.shown(checkpoint))
        exports = done.task in TASKS
        cli.next_command(cli.command('export' if exports else 'test', named, path))
    return 0


def _say_how_to_go_on(args: argparse.Namespace, resume: str | None) -> None:
    words = ['train', args.config]
    words += ['--work-dir', args.work_dir] if args.work_dir else []
    words += ['--weights', args.weights] if args.weights else []
    words += ['--amp'] if args.amp else []
    words += ['--auto-scale-lr'] if args.auto_scale_lr else []
    words += ['--no-check'] if args.no_check else []
    words += ['--cfg-options', *args.cfg_options] if args.cfg_options else []
    words += {None: [], AUTO: ['--resume']}.get(resume, ['--resume', str(resume)])
    here = os.environ.get('LOCAL_WORLD_SIZE')  # torchrun's
    if ranks.count() == 1:
        cli.next_command(cli.command(*words))
    elif here == str(ranks.count()):
        cli.next_command(f'torchrun --nproc-per-node {here} -m mobileone_mm {cli.typed(words)}')
    else:
        cli.say(f'to go on, start it on every machine as before, with: -m mobileone_mm {cli.typed(words)}')


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser('train', HELP)
    parser.add_argument('config', help='mmdet, mmseg or mmpretrain config: a file, or the name of a shipped one')
    parser.add_argument(
        '--work-dir', metavar='DIR', help="for checkpoints and logs (the config's, else work_dirs/NAME)"
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const=AUTO,
        metavar='CHECKPOINT',
        help='resume from the last checkpoint in the work dir, or from the one named',
    )
    parser.add_argument(
        '--weights',
        metavar='FILE',
        help='file or URL to start the backbone from, trained or fused (what the config names)',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help="fit the learning rate to the batch, by the config's auto_scale_lr"
    )
    parser.add_argument(
        '--no-check', action='store_true', help='do not look into every file for faults before the first step'
    )
    add_common(parser)
    return parser


def add_common(parser: argparse.ArgumentParser) -> None:
    """What training and testing share."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='change the config: train_cfg.max_epochs=12 or model.backbone.arch=s1; lists as KEY=[A,B]',
    )
    parser.add_argument('--plain', action='store_true', help="mmengine's own output instead")
