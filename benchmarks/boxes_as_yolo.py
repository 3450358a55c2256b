"""Writes the boxes that a config trains on as Ultralytics reads them, to train both side by side.

    python benchmarks/boxes_as_yolo.py benchmarks/bccd.py --out FOLDER
    yolo train data=FOLDER/data.yaml model=yolo11n.yaml pretrained=False imgsz=320

FOLDER gets images/train, images/val (links to the pictures), labels/ (a text file for each) and data.yaml. A box is
written as its class's number and its centre, width and height as fractions of the picture.
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mobileone_mm import cli
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.test_data import open_dataset
from trainings import open_folder

WHAT = 'boxes_as_yolo'
PARTS = ('train', 'val')


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folder; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', type=Path)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR')
    args = parser.parse_args(argv)
    config = load_config(args.config)
    sets = {part: open_dataset(config, f'{part}_dataloader', logging.ERROR) for part in PARTS}
    open_folder(args.out, WHAT)
    for part, dataset in sets.items():
        images, labels = (args.out / kind / part for kind in ('images', 'labels'))
        for folder in (images, labels):
            folder.mkdir(parents=True, exist_ok=True)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            picture = Path(info['img_path']).resolve()
            link = images / picture.name
            link.unlink(missing_ok=True)
            link.symlink_to(picture)
            (labels / f'{picture.stem}.txt').write_text(text_of(info), encoding='utf-8')
    names = dict(enumerate(sets['train'].metainfo['classes']))
    content = {'path': str(args.out.resolve()), **{part: f'images/{part}' for part in PARTS}, 'names': names}
    (args.out / 'data.yaml').write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    cli.next_command(f'yolo train data={args.out / "data.yaml"} model=yolo11n.yaml pretrained=False imgsz=320')
    return 0


def text_of(info: Mapping[str, Any]) -> str:
    """A line for each box of a picture that counts."""
    width, height = info['width'], info['height']
    lines = []
    for box in (one for one in info['instances'] if not one.get('ignore_flag')):
        left, top, right, bottom = box['bbox']
        numbers = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        lines.append(' '.join([str(box['bbox_label']), *(f'{number:.6f}' for number in numbers)]))
    return ''.join(f'{line}\n' for line in lines)


if __name__ == '__main__':
    raise SystemExit(cli.run(main))
