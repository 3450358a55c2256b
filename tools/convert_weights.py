"""Rename MobileOne weights between the layouts of Apple (and of this package), mmpretrain and timm."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import weight_keys
from mobileone_mm.atomic import require_writable_parent
from mobileone_mm.checkpoint import read_checkpoint, save_checkpoint
from mobileone_mm.cli import next_command, run
from mobileone_mm.errors import CheckpointError

EXAMPLE = """example:
  python tools/convert_weights.py mobileone_s0.pth.tar mobileone_s0_mmpretrain.pth --to mmpretrain

SRC may be in any of the layouts, or CoreNet's, trained or fused, with or without classifier, a file or a URL.
No number changes, and converting back restores every name.
"""
LAYOUTS = ('apple', 'timm', 'mmpretrain')  # written; CoreNet's names were read from its source and never loaded by it


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, convert, print."""
    parser = argparse.ArgumentParser(
        usage='%(prog)s SRC DST --to {apple,timm,mmpretrain}',
        description=f'{EXAMPLE}\n{__doc__}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('source', metavar='SRC', help='weights to read: a file or a URL')
    parser.add_argument('destination', metavar='DST', type=Path, help='.pth file to write')
    parser.add_argument('--to', choices=LAYOUTS, required=True, help='layout to write')
    args = parser.parse_args(argv)
    require_writable_parent(args.destination)

    source = read_checkpoint(args.source)
    try:
        converted = weight_keys.convert(source.state_dict, args.to)
    except CheckpointError as error:
        raise CheckpointError(f'{source.path}: {error}') from error
    # Apple and timm load a bare state dict, mm packages one with a meta block beside it.
    save_checkpoint(args.destination, converted, source.meta if args.to == 'mmpretrain' else None)
    print(f'{args.destination}: {weight_keys.describe(converted)}, {len(converted)} entries')
    variant = weight_keys.parse(converted).variant
    config = 'CONFIG' if variant == 'custom' else f'configs/detection/ssd_mobileone_{variant}.py'
    next_command(f'mim train mmdet {config} --cfg-options model.backbone.init_cfg.checkpoint={args.destination}')
    return 0


if __name__ == '__main__':
    raise SystemExit(run(main))
