"""Write the fused form of a trained checkpoint, checked against it, and the config that loads it."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobileone_mm.cli import next_command, run, say, write_report
from mobileone_mm.errors import UsageError
from mobileone_mm.outputs import FUSED_CONFIG, REPORT, WEIGHTS, require_outputs

if TYPE_CHECKING:
    from mobileone_mm.openmmlab.fused_file import FusedFile
    from mobileone_mm.weights.checkpoint import Checkpoint

EXAMPLE = """example:
  python tools/fuse.py configs/detection/ssd_mobileone_s2.py \\
      work_dirs/ssd_mobileone_s2/epoch_200.pth --out ssd_s2_fused.pth

Beside FUSED.pth it writes FUSED.py, the config that builds the fused model in any mm tool.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, fuse, print."""
    parser = argparse.ArgumentParser(
        usage='%(prog)s CONFIG CHECKPOINT --out FUSED.pth [--report FILE.json]',
        description=f'{EXAMPLE}\n{__doc__}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', metavar='CONFIG', type=Path, help='the config the checkpoint was trained with')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='trained weights: a file or a URL')
    parser.add_argument('--out', metavar='FUSED.pth', type=Path, required=True, help='where to write')
    parser.add_argument('--report', metavar='FILE.json', type=Path, help='write what was measured')
    args = parser.parse_args(argv)
    if args.out.suffix != '.pth':
        raise UsageError(f'--out {args.out}: expected a name that ends in .pth')
    described = args.out.with_suffix('.py')
    require_outputs(
        [(args.out, WEIGHTS), (described, FUSED_CONFIG), (args.report, REPORT)], [args.config, args.checkpoint]
    )
    # After the options: a wrong one shall not wait for torch and mmengine.
    from mobileone_mm.openmmlab.configs import load_config
    from mobileone_mm.openmmlab.fused_file import write_fused
    from mobileone_mm.openmmlab.open_model import open_model

    config = load_config(args.config)
    model, source = open_model(config, args.checkpoint)
    if source.form == 'fused':
        raise UsageError(f'{source}, so there is nothing to fuse')
    before = sum(parameter.numel() for parameter in model.parameters())
    written = write_fused(model, source, config, args.out)
    print(f'{written.path}: {written.parity}')
    print(f'parameters: {before:,} trained, {written.parameters:,} fused')
    if written.fault:
        say(f'warning: {written.fault}')
    if args.report:
        write_report(args.report, _report(source, written, before))
    config_path = str(written.config or args.config)
    next_command(shlex.join(['python', 'tools/export.py', config_path, str(args.out), '--out', 'model.mlpackage']))
    return 0


def _report(source: 'Checkpoint', written: 'FusedFile', before: int) -> dict[str, Any]:
    from mobileone_mm.weights.checkpoint import file_sha256

    return {
        'source': str(source.path),
        'source_sha256': source.sha256,
        'out': str(written.path),
        'out_sha256': file_sha256(written.path),
        'config': None if written.config is None else str(written.config),
        'max_abs': written.parity.max_abs,
        'relative': written.parity.relative,
        'parameters_trained': before,
        'parameters_fused': written.parameters,
    }


if __name__ == '__main__':
    raise SystemExit(run(main))
