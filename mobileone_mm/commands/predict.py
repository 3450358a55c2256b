"""Draw what a model finds in pictures."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.artifact.formats import A_CHECKPOINT, A_CONFIG, require_kind
from mobileone_mm.prediction.sources import compared_words, picture_files, require_room, split_words
from mobileone_mm.tasks.detection.options import require_fraction

HELP = """example: %(prog)s detector.mlpackage photos/
         %(prog)s ssd_mobileone_s2 best.pth 'photos/*.jpg' --out looked_at
         %(prog)s detector.mlpackage photos/ --compare CONFIG.py best.pth

Writes every picture with what was found in it (boxes, the class of each pixel, or of the picture), and predictions.json
with the same. With --compare, what two models find side by side, what differs in red, and how far they agree in all
(docs/predict.md)."""
THRESHOLDS = ('score_threshold', 'iou_threshold')


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, open the models, draw, say what was found; returns the exit status."""
    args = _parser().parse_args(argv)
    thresholds = {name: getattr(args, name) for name in THRESHOLDS if getattr(args, name) is not None}
    for name, value in thresholds.items():
        require_fraction(name, value)
    words, pictures = split_words(args.words)
    compared = compared_words(args.compare, words) if args.compare else ()
    for pair, form in (
        (words, cli.command('predict', 'CONFIG', 'CHECKPOINT', 'PICTURES')),
        (compared, cli.command('predict', 'MODEL', 'PICTURES', '--compare', 'CONFIG', 'CHECKPOINT')),
    ):
        if len(pair) == 2:
            require_kind(pair[0], [A_CONFIG], form)
            require_kind(pair[1], [A_CHECKPOINT], form)
    files = picture_files(pictures)
    out = Path(args.out or f'{Path(words[-1]).stem}_predictions')
    require_room(out, files, [*words, *compared])
    # After the words: a wrong one shall not wait for torch and mmdet.
    from mobileone_mm.prediction.gallery import predict, summary
    from mobileone_mm.prediction.predictors import open_predictor

    predictor = open_predictor(words, args.config_wins)
    other = open_predictor(compared, args.config_wins) if compared else None
    rules = predictor.task.predict.changed(predictor.rules, thresholds)
    for one in filter(None, (predictor, other)):
        if one.failed:
            cli.result(f'{one.failed}: {one.path}')
    outcome = predict(predictor, other, files, rules, out, cli.progress)
    for line in summary(outcome):
        cli.result(line)
    cli.result(f'pictures and their list: {out}')
    config = predictor.config or (other and other.config)
    if config:
        cli.next_command(cli.command('evaluate', predictor.path, config))
    else:
        cli.result(f'next, with yours: {cli.command("evaluate", predictor.path, "CONFIG")}')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser('predict', HELP)
    parser.add_argument(
        'words',
        nargs='+',
        metavar='MODEL PICTURES',
        help="a .mlpackage or .onnx, or a config and its checkpoint; then files, folders or patterns ('*.jpg')",
    )
    parser.add_argument('--out', metavar='DIR', help='folder to write, new or of an earlier run (NAME_predictions)')
    parser.add_argument(
        '--compare',
        nargs='+',
        metavar='OTHER',
        help='.mlpackage or .onnx, or a config and its checkpoint; a checkpoint alone takes the config of the first',
    )
    parser.add_argument(
        '--score-threshold', type=float, help="boxes below it are dropped, 0..1 (the file's own; 0.3 for a checkpoint)"
    )
    parser.add_argument(
        '--iou-threshold', type=float, help="boxes of one class that overlap more go, 0..1 (the file's or config's)"
    )
    cli.add_config_wins(parser)
    return parser
