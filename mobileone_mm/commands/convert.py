"""Rename MobileOne weights between the layouts of Apple (and of this package), mmpretrain and timm."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CHECKPOINT, CHECKPOINTS, require_kind
from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.outputs import WEIGHTS, require_outputs

if TYPE_CHECKING:
    from mobileone_mm.weights.names import Weights

HELP = """example: %(prog)s mobileone_s0.pth.tar mobileone_s0_mmpretrain.pth --to mmpretrain

Renames MobileOne weights between the layouts of Apple (and of this package), mmpretrain and timm.

SRC may be in any of the layouts, CoreNet's or that of timm's features_only, trained or fused, with or without
classifier, a file or a URL.
No number changes, and converting back restores every name."""
LAYOUTS = ('apple', 'timm', 'mmpretrain')  # written; CoreNet's names were read from its source and never loaded by it


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, convert, print."""
    parser = cli.parser('convert', HELP)
    parser.add_argument('source', metavar='SRC', help='weights to read: a file or a URL')
    parser.add_argument('destination', metavar='DST', type=Path, help='.pth file to write')
    parser.add_argument('--to', choices=LAYOUTS, required=True, help='layout to write')
    args = parser.parse_args(argv)
    require_kind(args.source, [A_CHECKPOINT], cli.command('convert', 'SRC', 'DST'))
    if args.destination.suffix not in CHECKPOINTS:
        raise UsageError(f'{args.destination}: expected a name that ends in {" or ".join(CHECKPOINTS)}')
    require_outputs([(args.destination, WEIGHTS)], [args.source])
    # After the options: a wrong one shall not wait for torch.
    from mobileone_mm.weights import names
    from mobileone_mm.weights.checkpoint import read_checkpoint, require_finite, save_checkpoint

    source = read_checkpoint(args.source)
    require_finite(source.state_dict, source)
    try:
        converted = names.convert(source.state_dict, args.to)
    except CheckpointError as error:
        raise CheckpointError(f'{source.path}: {error}') from error
    # Apple and timm load a bare state dict, mm packages one with a meta block beside it.
    save_checkpoint(args.destination, converted, source.meta if args.to == 'mmpretrain' else None)
    weights = names.parse(converted)
    cli.result(f'{args.destination}: {weights}, {len(converted)} entries')
    cli.next_command(cli.command('train', _config_for(weights), '--weights', args.destination))
    return 0


def _config_for(weights: 'Weights') -> str:
    from mobileone_mm.models.backbones.variants import ARCHITECTURES

    published = ARCHITECTURES.get(weights.variant, {}).get('num_conv_branches', [None])[0]
    fits = weights.form == 'fused' or weights.num_conv_branches == published
    return f'ssd_mobileone_{weights.variant}' if published and fits else 'CONFIG'
