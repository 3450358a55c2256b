"""The whole way on drawn shapes: make data, train, test, fuse, export and score, check, look, and say what came out.

python tools/story.py

Takes minutes; writes the folder demo/ of this repository: summary.md, report.html, detector.mlpackage, pictures.png,
predictions, logs.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm.atomic import replacing
from mobileone_mm.cli import next_command, run
from mobileone_mm.demo import story
from mobileone_mm.demo.sheet import write_sheet

ROOT = Path(__file__).resolve().parents[1]
SHOWN = {
    'report': f'{story.FOLDER}/report.html, in a browser: every comparison, scores, pictures',
    'pictures': f'{story.FOLDER}/pictures.png, what was drawn and what the trained model finds',
    'predictions': f'{story.FOLDER}/predictions, what the package finds beside the trained model',
    'summary': f'{story.FOLDER}/summary.md',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, draw the pictures, write the page and print its core."""
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    folder = ROOT / story.FOLDER
    story.clear(ROOT)
    done = list(story.run_steps(ROOT, story.STEPS))
    write_sheet(
        folder / 'pictures.png',
        annotations=folder / 'data/annotations/val.json',
        predictions=folder / 'test/predictions.bbox.json',
        images=folder / 'data/images/val',
    )
    page = story.summary(ROOT, done)
    with replacing(folder / 'summary.md') as fresh:
        fresh.write_text(page)
    for title, rows in ('done', story.facts(ROOT, done)), ('to look at', SHOWN):
        print(f'\n{title}')
        for name, text in rows.items():
            print(f'  {name:11}  {text}')
    print('\nOn your own boxes (which lines to change: docs/own_data.md):')
    next_command('.venv/bin/mim train mmdet configs/detection/ssd_mobileone_s0_own_coco.py')
    return 0


if __name__ == '__main__':
    raise SystemExit(run(main))
