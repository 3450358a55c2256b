"""The demo of classification."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobileone_mm.demo.demo import DATA, PREDICTIONS, Demo
from mobileone_mm.demo.sheet import COUNT, PANEL, write_sheet
from mobileone_mm.demo.steps import FOLDER
from mobileone_mm.pictures.drawing import resized
from mobileone_mm.pictures.lines import draw_lines
from mobileone_mm.pictures.reading import Picture, read_picture

CLASSES = ('circle', 'square', 'triangle')
VAL = 'val'  # in the drawn set: the folders of the validation pictures


def class_pairs(entries: Sequence[Mapping[str, Any]], root: Path, count: int = COUNT) -> list[tuple[Picture, Picture]]:
    """The first `count` pictures with the class whose folder they lie in, and with those that the model gives them.

    Args:
        entries: of `predictions.json`, with what the trained model gives under `compared`.
        root: the folder that the paths in it begin in.
        count: how many pairs. The set is numbered with its classes in turn, and so are they.

    Raises:
        DataError: a picture cannot be read.
    """
    pairs = []
    for entry in sorted(entries, key=lambda entry: Path(entry['file']).name)[:count]:
        file = root / entry['file']
        picture, truth, found = resized(read_picture(file), PANEL), file.parent.name, entry['compared']
        lines = [f'{one["label"]} {100 * one["probability"]:.0f} %' for one in found]
        wrong = found[0]['label'] != truth
        pairs.append((draw_lines(picture, [truth]), draw_lines(picture, lines, marked=wrong)))
    return pairs


def _draw(out: Path, folder: Path) -> None:
    entries = json.loads((folder / PREDICTIONS / 'predictions.json').read_text())['pictures']
    pairs = class_pairs(entries, folder.parent)
    write_sheet(out, pairs, 'left: truth   right: found by the trained model, red if wrong')


def _truth(folder: Path) -> str:
    return ', '.join(f'{name} {sum(1 for _ in (folder / DATA / VAL / name).iterdir())}' for name in CLASSES)


def _agreed(total: Mapping[str, Any]) -> str:
    same = f'package and model give {total["agreeing"]} of {total["pictures"]} pictures the same class'
    return f'{same}; their probabilities differ by at most {total["apart"]:.2g}'


CLASSIFICATION = Demo(
    noun='classifier',
    model='a small classifier',
    config='demo_mobileone',
    drawing='--class-folders --images 1200 --val 150 --size 96',
    testing='',
    pictures=f"'{FOLDER}/{DATA}/{VAL}/*/*.jpg'",
    metrics={'top-1': 'accuracy/top1'},
    classes=CLASSES,
    own=(),
    truth=_truth,
    agreed=_agreed,
    interest=lambda entry: -float(entry['classes'][0]['probability']),
    shown='The validation picture that the package is least sure of; all of them are in [predictions](predictions). A '
    "class that differs from the model's would be on red.",
    draw=_draw,
)
