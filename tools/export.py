"""Export a trained SSD as a checked Core ML detector."""

import argparse
import shlex
from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.outputs import EXPORTED, PAGE, REPORT, require_outputs
from mobileone_mm.tasks.detection.options import (
    EXPERIMENTAL,
    FLOATS,
    SPEC_VERSIONS,
    WEIGHTS,
    DetectorOptions,
    page_of,
    parse_size,
    require_format,
)

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
        weights=args.weights,
        precision=args.precision,
        fp32_ops=tuple(args.fp32_op),
        nms=args.nms,
    )
    out = require_format(args.out, options)
    require_outputs(
        [(out, EXPORTED[out.suffix]), (page_of(out), PAGE), (args.report, REPORT)],
        [args.config, args.checkpoint, *args.image],
    )
    # After the options: a wrong one shall not wait for torch and mmdet.
    from mobileone_mm.artifact import ladder
    from mobileone_mm.exporter import export, report

    done = export.export(args.config, args.checkpoint, options, out, args.image, args.evaluate, args.limit)
    print(ladder.table(done.rungs))
    print(report.summary(done))
    if done.scores:
        print(done.scores.table())
    if args.report:
        cli.write_report(args.report, done.as_dict())
    cli.next_command(f'python tools/verify.py {shlex.quote(str(done.artifact))}')
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
    parser.add_argument(
        '--weights',
        default=defaults.weights,
        help=f'how weights are stored: {", ".join(WEIGHTS)} (%(default)s); {", ".join(EXPERIMENTAL)}: experimental',
    )
    parser.add_argument('--precision', default=defaults.precision, help=f'{" or ".join(FLOATS)} (%(default)s)')
    parser.add_argument('--fp32-op', metavar='LAYER', action='append', default=[], help='keep it in float32; a pattern')
    parser.add_argument('--nms', action='store_true', help='.onnx: with suppression; without it, raw boxes')
    parser.add_argument('--evaluate', action='store_true', help="score it on the config's test data, beside the model")
    parser.add_argument('--limit', type=int, metavar='N', help='with --evaluate: the first N pictures only')
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
