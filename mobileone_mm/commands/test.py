"""`mobileone test`: mmengine's testing, the metrics as a table."""

from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, require_kind
from mobileone_mm.commands.train import add_common
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.tasks.by_name import TASKS
from mobileone_mm.training import ranks

HELP = """example: %(prog)s ssd_mobileone_s2 work_dirs/ssd_mobileone_s2/epoch_200.pth

Tests as mmdet's, mmseg's and mmpretrain's own tools/test.py do, and prints the metrics (docs/train.md). mmengine's
whole log is a file in the work dir, beside all metrics as JSON."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, test, print the metrics; returns the exit status."""
    parser = cli.parser('test', HELP)
    parser.add_argument('config', help='mmdet, mmseg or mmpretrain config: a file, or the name of a shipped one')
    parser.add_argument('checkpoint', help='a checkpoint of it, trained or fused')
    parser.add_argument(
        '--work-dir', metavar='DIR', help="for the log and the metrics (the config's, else work_dirs/NAME)"
    )
    add_common(parser)
    args = parser.parse_args(argv)
    form = cli.command('test', 'CONFIG', 'CHECKPOINT')
    require_kind(args.config, [A_CONFIG], form)
    require_kind(args.checkpoint, [A_CHECKPOINT], form)
    config = str(find_config(args.config))
    if ranks.rank() == 0 and not args.plain:
        cli.fact('config', args.config)
        cli.fact('model', args.checkpoint)
    from mobileone_mm.openmmlab import metrics
    from mobileone_mm.training import run
    from mobileone_mm.training.settings import Options

    options = Options(args.work_dir, tuple(args.cfg_options))
    if args.plain:
        cli.keep_tracebacks()
        run.test_plainly(config, args.checkpoint, options)
        return 0
    done = run.test(config, args.checkpoint, options)
    if ranks.rank() == 0:
        cli.result(metrics.table(done.metrics))
        named = str(run.shown(done.config)) if args.cfg_options else args.config
        if done.task in TASKS:
            cli.next_command(cli.command('export', named, args.checkpoint))
    return 0
