"""Score an exported detector on its config's own test data."""

import argparse
import shlex
from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.outputs import REPORT, require_outputs

HELP = """example: python tools/evaluate.py detector.mlpackage CONFIG.py --checkpoint best.pth

Computes the config's own metric on its own test data from the outputs of a package, an ONNX file or a checkpoint
(trained or fused), and with --checkpoint beside it from the model that it was made from: what the export changes, and
what one label a box costs. Thresholds and the number of boxes are those of the config's model.test_cfg
(docs/evaluate.md)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, score, print the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('artifact', help='what to score: .mlpackage, .onnx or .pth')
    parser.add_argument('config', help='mmdet config with the test data and the metric')
    parser.add_argument('--checkpoint', help='model to compare with, such as the one that was exported')
    parser.add_argument('--limit', type=int, metavar='N', help='the first N pictures only')
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    args = parser.parse_args(argv)
    inputs = [path for path in (args.artifact, args.config, args.checkpoint) if path]
    require_outputs([(args.report, REPORT)], inputs)

    from mobileone_mm.evaluation import detection

    scores = detection.evaluate(args.artifact, args.config, args.checkpoint, args.limit)
    if args.report:
        cli.write_report(args.report, scores.as_dict())
    print(scores.table())
    artifact, config = shlex.quote(args.artifact), shlex.quote(args.config)
    if args.artifact.endswith(detection.CHECKPOINT_ENDING):
        cli.next_command(f'python tools/export.py {config} {artifact} --out detector.mlpackage')
    else:
        pictures = shlex.quote(scores.folder or 'PICTURES')
        cli.next_command(f'python tools/predict.py {artifact} {pictures} --out looked_at')
    return 0


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
