"""The whole way on drawn shapes: make data, train, test, fuse, export, check, and show what came out.

python tools/demo.py

Takes minutes; writes the folder demo/ of this repository: pictures.png, summary.md, detector.mlpackage, logs.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from mobileone_mm import demo
from mobileone_mm.atomic import replacing
from mobileone_mm.cli import next_command, run, say
from mobileone_mm.pictures import write_sheet

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the steps, draw the pictures, write the page and print its core."""
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    folder = ROOT / demo.FOLDER
    started = time.monotonic()
    demo.clear(ROOT)
    done = list(demo.run_steps(ROOT, demo.STEPS))
    write_sheet(
        folder / 'pictures.png',
        annotations=folder / 'data/annotations/val.json',
        predictions=folder / 'test/predictions.bbox.json',
        images=folder / 'data/images/val',
    )
    page = demo.summary(ROOT, done)
    with replacing(folder / 'summary.md') as fresh:
        fresh.write_text(page)
    say(f'\ndone in {time.monotonic() - started:.0f} s')
    print(page[: page.index('![')].strip())
    print(f'\npictures: {demo.FOLDER}/pictures.png\nthe whole page: {demo.FOLDER}/summary.md')
    print('On your own boxes (which lines to change: docs/own_data.md):')
    next_command('.venv/bin/mim train mmdet configs/detection/ssd_mobileone_s0_own_coco.py')
    return 0


if __name__ == '__main__':
    raise SystemExit(run(main))
