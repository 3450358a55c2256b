"""Check a saved Core ML detector."""

import argparse
import shlex
from collections.abc import Sequence

from mobileone_mm import cli

HELP = """example: python tools/verify.py detector.mlpackage --image street.jpg

Judges a package from its files alone: stages, names, shapes, types, labels, thresholds, weights and metadata; then
executes it, in float16 and in float32, and its suppression stage. Prints the comparisons with the trained model that
its export made, and those that were made now."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, verify, print what the package is; returns the exit status."""
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('package', help='a .mlpackage that tools/export.py wrote')
    parser.add_argument('--image', nargs='+', default=[], help='pictures to check on; a drawn one without any')
    parser.add_argument('--report', metavar='FILE.json', help='write what was found')
    args = parser.parse_args(argv)

    from mobileone_mm.export import ladder, targets

    info, rungs = targets.reclimb(args.package, args.image)
    print(ladder.table([*(ladder.Rung(**rung) for rung in info.parity), *rungs]))
    ladder.require_rungs(rungs)
    if args.report:
        cli.write_report(args.report, {**info.as_metadata(), 'ladder': ladder.as_dicts(rungs)})
    print(
        f'{args.package}: sound; {info.task}, {len(info.classes)} classes, {info.input_size[0]}x{info.input_size[1]} px'
    )
    cli.next_command(f'open {shlex.quote(args.package)}  # on a Mac, with Xcode; the Swift lines are in docs/swift.md')
    return 0


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
