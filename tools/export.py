"""Export a trained SSD as a checked Core ML detector."""

import argparse
import shlex
from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.atomic import require_writable
from mobileone_mm.export.options import SPEC_VERSIONS, DetectorOptions, parse_size, require_package_path

HELP = """example: python tools/export.py configs/detection/ssd_mobileone_s2.py best.pth --out detector.mlpackage

Fuses the model, puts normalisation, softmax and box decoding into it, converts it into a Core ML program with a
suppression stage behind it, as Apple's Vision wants a detector (docs/package.md, docs/swift.md), and compares every
step with the trained model on the way. The package appears whole, or not at all."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, export, print the ladder; returns the exit status."""
    args = _parser().parse_args(argv)
    options = DetectorOptions(
        target=args.target,
        iou_threshold=args.iou_threshold,
        confidence_threshold=args.confidence_threshold,
        input_size=parse_size(args.input_size) if args.input_size else None,
        pad_classes=args.pad_classes,
    )
    out = require_package_path(args.out)
    if args.report:
        require_writable(args.report)
    # After the options: a wrong one shall not wait for torch and mmdet.
    from mobileone_mm.export import run, verify

    report = run.export(args.config, args.checkpoint, options, out, args.image)
    if args.report:
        cli.write_report(args.report, report.as_dict())
    print(verify.table(report.rungs))
    print(run.summary(report))
    cli.next_command(f'python tools/verify.py {shlex.quote(str(report.package))}')
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = DetectorOptions()
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='mmdet config of an SSD')
    parser.add_argument('checkpoint', help='its checkpoint, trained or fused')
    parser.add_argument('--out', required=True, help='package to write, ending in .mlpackage')
    parser.add_argument(
        '--target', default=defaults.target, help=f'oldest system to run on: {", ".join(SPEC_VERSIONS)} (%(default)s)'
    )
    parser.add_argument(
        '--iou-threshold', type=float, default=defaults.iou_threshold, help='default of the package, 0..1 (%(default)s)'
    )
    parser.add_argument(
        '--confidence-threshold',
        type=float,
        default=defaults.confidence_threshold,
        help='default of the package, 0..1 (%(default)s)',
    )
    parser.add_argument('--image', nargs='+', default=[], help='pictures to check on; a drawn one without any')
    parser.add_argument('--input-size', metavar='WxH', help="pixels; without it, the config's test pipeline")
    parser.add_argument(
        '--no-class-padding',
        dest='pad_classes',
        action='store_false',
        help='as many confidence columns as classes, not the next multiple of 80 (see docs/package.md)',
    )
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
