"""Check a saved artifact."""

from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.artifact.columns import paragraph
from mobileone_mm.errors import counted
from mobileone_mm.outputs import REPORT, require_outputs

HELP = """example: %(prog)s detector.mlpackage --image street.jpg

Judges a package or an ONNX file by itself: names, shapes, types, labels, thresholds, weights and metadata; then
executes it, and its suppression, and compares its output with what its metadata says to expect. Prints the
comparisons with the trained model that its export made, and those that were made now."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, verify, print what the artifact is; returns the exit status."""
    parser = cli.parser('verify', HELP)
    parser.add_argument('artifact', help='a .mlpackage or .onnx that an export wrote')
    parser.add_argument(
        '--image', dest='images', nargs='+', default=[], help='pictures to check on; a drawn one without any'
    )
    parser.add_argument('--report', metavar='FILE.json', help='write what was found')
    args = parser.parse_args(argv)
    require_outputs([(args.report, REPORT)], [args.artifact, *args.images])
    # After the options: a wrong one shall not wait for torch.
    from mobileone_mm.artifact import ladder
    from mobileone_mm.artifact.verdict import checked, same_as_exported
    from mobileone_mm.exporter.examples import DRAWN
    from mobileone_mm.exporter.verify import verify

    card, rungs = verify(args.artifact, args.images)
    if card.failed:
        cli.result(paragraph(f'{card.verdict}, when it was exported'))
    cli.result(paragraph(same_as_exported(rungs, card.weights, card.failed)))
    cli.result(paragraph(checked(rungs, f'{counted(len(args.images), "picture")} given' if args.images else DRAWN)))
    exported = [ladder.Rung(**rung) for rung in card.parity]
    cli.result(f'when it was exported:\n{ladder.table(exported)}')
    cli.result(f'now:\n{ladder.table(rungs)}')
    if meant := ladder.legend([*exported, *rungs]):
        cli.result(meant)
    if not card.failed:
        ladder.require_rungs(rungs)
    if args.report:
        cli.write_report(args.report, {**card.as_metadata(), 'ladder': ladder.as_dicts(rungs)})
    if card.failed:
        cli.result(f'{args.artifact}: kept although it failed; train the model and export it again')
        return 1
    width, height = card.input_size
    cli.result(f'{args.artifact}: sound; {card.task}, {len(card.classes)} classes, {width}x{height} px')
    # Not the paths that the file names: whoever made it chose them, and a config is executed.
    cli.result(f'next, with yours: {cli.command("evaluate", args.artifact, "CONFIG", "--checkpoint", "CHECKPOINT")}')
    return 0
