"""Export a trained model as a checked Core ML package or ONNX file."""

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.artifact.columns import paragraph
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, ARTIFACTS, PACKAGE, beside, require_kind
from mobileone_mm.errors import UsageError
from mobileone_mm.exporter.options import check_options, option_fields
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.outputs import EXPORTED, PAGE, REPORT, is_text, page_of, require_outputs

HELP = """example: %(prog)s ssd_mobileone_s2 best.pth --out detector.mlpackage

Fuses the model, puts normalisation and all that follows from its outputs into it (a detector's softmax, box decoding
and suppression; a segmenter's choice of a class for each pixel; a classifier's crop and softmax), converts it for
Core ML as Apple's Vision wants it (docs/package.md, docs/swift.md), and compares every step with the trained model on
the way. The package appears whole, or not at all."""
LONGEST = 4096  # px of a side: a model's maps of a larger picture take more memory than computers have
SIZE = re.compile(r'([1-9][0-9]*)x([1-9][0-9]*)')


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, export, print what was compared; returns the exit status."""
    args = _parser().parse_args(argv)
    form = cli.command('export', 'CONFIG', 'CHECKPOINT')
    require_kind(args.config, [A_CONFIG], form)
    require_kind(args.checkpoint, [A_CHECKPOINT], form)
    out = Path(args.out or beside(args.checkpoint, PACKAGE))
    if out.suffix not in ARTIFACTS:
        raise UsageError(f'`out` {out}: ending {out.suffix!r} given, expected {" or ".join(ARTIFACTS)}')
    if out.suffix == PACKAGE and not is_text(os.path.realpath(out)):
        raise UsageError(f'`out` {out}: this name is no UTF-8, and coremltools writes no other; choose another path')
    given = {name: getattr(args, name) for name in option_fields() if getattr(args, name) is not None}
    size = parse_size(args.input_size) if args.input_size else None
    check_options(out.suffix, given)
    require_outputs(
        [(out, EXPORTED[out.suffix]), (page_of(out), PAGE), (args.report, REPORT)],
        [find_config(args.config), args.checkpoint, *args.images],
    )
    # After the options: a wrong one shall not wait for torch and mmdet.
    from mobileone_mm.artifact import ladder
    from mobileone_mm.exporter.export import export
    from mobileone_mm.exporter.report import answer, summary, weak_at

    done = export(
        args.config,
        args.checkpoint,
        out,
        options=given,
        input_size=size,
        images=args.images,
        evaluate=args.evaluate,
        limit=args.limit,
        track=cli.progress,
        keep_failed=args.keep_failed,
        config_wins=args.config_wins,
        report=args.report,
    )
    for sentence in answer(done):
        cli.result(paragraph(sentence))
    cli.result(ladder.table(done.rungs))
    if meant := ladder.legend(done.rungs):
        cli.result(meant)
    for line in summary(done).splitlines():
        cli.result(paragraph(line))
    cli.result(f'report: {page_of(done.artifact)}')
    if done.scores:
        cli.result(done.scores.table())
        if weak := weak_at(done):
            cli.result(paragraph(weak))
    if done.info.failed:
        cli.next_command(cli.command('train', args.config))
        return 1
    cli.next_command(cli.command('verify', done.artifact))
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """Read '320x240' as (width 320, height 240), in pixels.

    Raises:
        UsageError: the text is anything else, or a side is longer than `LONGEST`.
    """
    match = SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f'`input_size`: {text!r} given, expected WIDTHxHEIGHT in pixels, such as 320x320')
    if max(map(len, match.groups())) > len(str(LONGEST)) or max(map(int, match.groups())) > LONGEST:
        raise UsageError(f'`input_size`: {text} given, expected sides of at most {LONGEST} pixels')
    return int(match[1]), int(match[2])


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser('export', HELP)
    parser.add_argument(
        'config', help='an SSD, encoder-decoder or classifier: its config file, or the name of a shipped one'
    )
    parser.add_argument('checkpoint', help='its checkpoint, trained or fused')
    parser.add_argument('--out', help=f'file to write, ending in {" or ".join(ARTIFACTS)} (CHECKPOINT{PACKAGE})')
    parser.add_argument(
        '--image', dest='images', nargs='+', default=[], help="pictures to check on (4 of the config's test data)"
    )
    parser.add_argument('--input-size', metavar='WxH', help="pixels; without it, the config's test pipeline")
    for name, option in option_fields().items():
        parser.add_argument(option.metadata['flag'], dest=name, default=None, **option.metadata['how'])
    parser.add_argument('--evaluate', action='store_true', help="score it on the config's test data, beside the model")
    parser.add_argument('--limit', type=int, metavar='N', help='with --evaluate: the first N pictures only')
    parser.add_argument(
        '--keep-failed',
        action='store_true',
        help='write the file even if a check fails, to try its speed; it is marked as failed, and the exit status is 1',
    )
    cli.add_config_wins(parser)
    parser.add_argument('--report', metavar='FILE.json', help='write what was measured')
    return parser
