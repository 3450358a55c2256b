"""Write the fused form of a trained checkpoint, checked against it, and the config that loads it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, CHECKPOINT, beside, require_kind
from mobileone_mm.errors import CheckpointError, UsageError, shown
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.outputs import FUSED_CONFIG, REPORT, WEIGHTS, require_outputs

if TYPE_CHECKING:
    from mmengine.config import Config

    from mobileone_mm.weights.checkpoint import Checkpoint

HELP = """example: %(prog)s ssd_mobileone_s2 work_dirs/ssd_mobileone_s2/epoch_200.pth --out ssd_s2_fused.pth

Writes the fused form of a trained checkpoint, checked against it, and beside FUSED.pth the config FUSED.py that builds
the fused model in any mm tool."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fuse, print."""
    parser = cli.parser('fuse', HELP)
    parser.add_argument('config', help='the config it was trained with: a file, or the name of a shipped one')
    parser.add_argument('checkpoint', help='trained weights: a file or a URL')
    parser.add_argument('--out', metavar='FUSED.pth', help='file to write (CHECKPOINT_fused.pth)')
    cli.add_config_wins(parser)
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    args = parser.parse_args(argv)
    form = cli.command('fuse', 'CONFIG', 'CHECKPOINT')
    require_kind(args.config, [A_CONFIG], form)
    require_kind(args.checkpoint, [A_CHECKPOINT], form)
    out = Path(args.out or beside(args.checkpoint, f'_fused{CHECKPOINT}'))
    if out.suffix != CHECKPOINT:
        raise UsageError(f'`out` {out}: expected a name that ends in {CHECKPOINT}')
    config_path = find_config(args.config)
    outputs = [(out, WEIGHTS), (out.with_suffix('.py'), FUSED_CONFIG), (args.report, REPORT)]
    require_outputs(outputs, [config_path, args.checkpoint])
    # After the options: a wrong one shall not wait for torch and mmengine.
    from mobileone_mm.openmmlab.configs import load_config
    from mobileone_mm.openmmlab.fused_file import write_fused
    from mobileone_mm.openmmlab.open_model import open_model

    config = load_config(config_path)
    model, source = open_model(config, args.checkpoint, config_wins=args.config_wins)
    if source.form == 'fused':
        raise UsageError(f'{source}, so there is nothing to fuse')
    _require_each_once(config, source)
    before = sum(parameter.numel() for parameter in model.parameters())
    written = write_fused(model, source, config, out, args.report)
    cli.result(f'{written.path}: {written.parity}')
    cli.result(f'parameters: {before:,} trained, {written.parameters:,} fused')
    if written.fault:
        cli.say(f'warning: {written.fault}')
    cli.next_command(cli.command('export', written.config or args.config, out))
    return 0


def _require_each_once(config: 'Config', source: 'Checkpoint') -> None:
    """Refuse a checkpoint that names two classes alike, which nothing made of FUSED.pth could tell apart."""
    from mobileone_mm.tasks.by_name import task_for

    names = Counter(task_for(config).export.as_named(source.classes or ()))
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise CheckpointError(f'{source.path}: its meta names {shown(twice)} for more than one class')
