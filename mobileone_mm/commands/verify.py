"""Check a saved detector."""

import argparse
import shlex
from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.outputs import REPORT, require_outputs

HELP = """example: python tools/verify.py detector.mlpackage --image street.jpg

Judges a package or an ONNX file by itself: names, shapes, types, labels, thresholds, weights and metadata; then
executes it, and its suppression, and compares what it finds with what its metadata say it has to find. Prints the
comparisons with the trained model that its export made, and those that were made now."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, verify, print what the package is; returns the exit status."""
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('artifact', help='a .mlpackage or .onnx that tools/export.py wrote')
    parser.add_argument('--image', nargs='+', default=[], help='pictures to check on; a drawn one without any')
    parser.add_argument('--report', metavar='FILE.json', help='write what was found')
    args = parser.parse_args(argv)
    require_outputs([(args.report, REPORT)], [args.artifact, *args.image])

    from mobileone_mm.artifact import ladder
    from mobileone_mm.targets import by_ending

    info, rungs = by_ending.reclimb(args.artifact, args.image)
    print(ladder.table([*(ladder.Rung(**rung) for rung in info.parity), *rungs]))
    ladder.require_rungs(rungs)
    if args.report:
        cli.write_report(args.report, {**info.as_metadata(), 'ladder': ladder.as_dicts(rungs)})
    width, height = info.input_size
    print(f'{args.artifact}: sound; {info.task}, {len(info.classes)} classes, {width}x{height} px')
    # Not the paths that the file names: whoever made it chose them, and a config is executed.
    cli.next_command(f'python tools/evaluate.py {shlex.quote(args.artifact)} CONFIG --checkpoint CHECKPOINT')
    return 0


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
