"""Draw what a detector finds in pictures."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobileone_mm import cli
from mobileone_mm.prediction.sources import compared_words, picture_files, require_room, split_words
from mobileone_mm.tasks.detection.options import require_fraction

HELP = """example: python tools/predict.py detector.mlpackage photos/ --out looked_at
         python tools/predict.py configs/detection/ssd_mobileone_s2.py best.pth 'photos/*.jpg' --out looked_at
         python tools/predict.py detector.mlpackage photos/ --out looked_at --compare CONFIG.py best.pth

Writes every picture with its boxes and labels, and gallery.json with the same in pixels. With --compare, what two
detectors find side by side, what differs in red, and how far they agree in all (docs/predict.md)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, open the detectors, draw, say what was found; returns the exit status."""
    args = _parser().parse_args(argv)
    given = {'score_threshold': args.score_threshold, 'iou_threshold': args.iou_threshold}
    thresholds = {name: value for name, value in given.items() if value is not None}
    for name, value in thresholds.items():
        require_fraction(f'--{name.replace("_", "-")}', value)
    words, pictures = split_words(args.words)
    compared = compared_words(args.compare, words) if args.compare else ()
    files = picture_files(pictures)
    require_room(Path(args.out), files, [*words, *compared])
    # After the words: a wrong one shall not wait for torch and mmdet.
    from mobileone_mm.prediction import gallery
    from mobileone_mm.prediction.predictors import open_finder

    finder = open_finder(words)
    other = open_finder(compared) if compared else None
    outcome = gallery.predict(finder, other, files, replace(finder.rules, **thresholds), Path(args.out))
    for line in gallery.summary(outcome):
        print(line)
    config = finder.config or (other and other.config)
    cli.next_command(f'python tools/evaluate.py {shlex.quote(finder.path)} {shlex.quote(config or "CONFIG")}')
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'words',
        nargs='+',
        metavar='DETECTOR PICTURES',
        help="a .mlpackage or .onnx, or a config and its checkpoint; then files, folders or patterns ('*.jpg')",
    )
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write: new, or of an earlier run')
    parser.add_argument(
        '--compare',
        nargs='+',
        metavar='OTHER',
        help='.mlpackage or .onnx, or a config and its checkpoint; a checkpoint alone has the config of the first',
    )
    parser.add_argument(
        '--score-threshold', type=float, help="boxes below it go, 0..1 (the artefact's own; 0.3 for a checkpoint)"
    )
    parser.add_argument(
        '--iou-threshold', type=float, help="boxes of one class that overlap more go, 0..1 (the artefact's or config's)"
    )
    return parser


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
