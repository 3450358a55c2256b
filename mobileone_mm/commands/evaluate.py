"""Score an exported model on its config's own test data."""

from collections.abc import Sequence

from mobileone_mm import cli
from mobileone_mm.artifact.columns import paragraph
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, AN_ARTIFACT, is_artifact, require_kind
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.outputs import EVALUATION, REPORT, require_outputs

HELP = """example: %(prog)s detector.mlpackage CONFIG.py --checkpoint best.pth

Computes the config's own metric on its own test data from the outputs of a package, an ONNX file or a checkpoint
(trained or fused), and with --checkpoint beside it from the model that it was made from: what the export changes, and
what Core ML's suppression does. Thresholds and the number of boxes are those of the config's model.test_cfg
(docs/evaluate.md)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, score, print the table; returns the exit status."""
    parser = cli.parser('evaluate', HELP)
    parser.add_argument('artifact', metavar='FILE', help='what to score: .mlpackage, .onnx or .pth')
    parser.add_argument('config', help='config with the test data and the metric: a file, or the name of a shipped one')
    parser.add_argument('--checkpoint', help='model to compare with, such as the one that was exported')
    parser.add_argument('--limit', type=int, metavar='N', help='the first N pictures only')
    cli.add_config_wins(parser)
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    parser.add_argument(
        '--page', metavar='FILE.html', help='write a page: scores, curves, confusion, the worst pictures'
    )
    args = parser.parse_args(argv)
    form = cli.command('evaluate', 'FILE', 'CONFIG')
    require_kind(args.artifact, [*AN_ARTIFACT, A_CHECKPOINT], form)
    require_kind(args.config, [A_CONFIG], form)
    if args.checkpoint:
        require_kind(args.checkpoint, [A_CHECKPOINT], f'{form} --checkpoint CHECKPOINT')
    config = find_config(args.config)
    inputs = [path for path in (args.artifact, config, args.checkpoint) if path]
    require_outputs([(args.report, REPORT), (args.page, EVALUATION)], inputs)
    # After the options: a wrong one shall not wait for torch and mmengine.
    from mobileone_mm.evaluation.scoring import evaluate
    from mobileone_mm.evaluation.weakness import weakness

    scores = evaluate(args.artifact, config, args.checkpoint, args.limit, cli.progress, args.config_wins, args.page)
    if args.report:
        cli.write_report(args.report, scores.as_dict())
    cli.result(scores.table())
    if weak := weakness(scores):
        cli.result(paragraph(f'The scores are of {weak}'))
    if args.page:
        cli.result(f'page: {args.page}')
    if is_artifact(args.artifact):
        cli.next_command(cli.command('predict', args.artifact, scores.folder or 'PICTURES'))
    else:
        cli.next_command(cli.command('export', args.config, args.artifact))
    return 0
