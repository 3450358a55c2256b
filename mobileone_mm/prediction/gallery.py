"""Pictures in, pictures with boxes and their JSON out; with a second detector, side by side."""

import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mobileone_mm.cli import progress, say, write_report
from mobileone_mm.errors import ConfigError, DataError, UsageError
from mobileone_mm.pictures.drawing import beside, resized, write_picture
from mobileone_mm.pictures.reading import Picture, read_bgr
from mobileone_mm.prediction.predictors import Finder
from mobileone_mm.tasks.detection.agreement import Total, agreement, found_by_both, total
from mobileone_mm.tasks.detection.detections import Detections, Rules
from mobileone_mm.tasks.detection.drawing import drawn, drawn_pair, in_pixels

PICTURE_ENDINGS = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}  # of what a folder is searched for
OUT_ENDING = '.jpg'
LIST = 'predictions.json'
LEAST_SIDE = 480  # px of the longer side of a drawn picture; on a smaller one, labels would hide what they name


@dataclass(frozen=True)
class Outcome:
    """What was found.

    Attributes:
        pictures: number of pictures.
        boxes: how many, by class.
        compared: how far two detectors agree; None for one.
    """

    pictures: int
    boxes: Counter[str]
    compared: Total | None


def picture_files(words: Sequence[str]) -> list[Path]:
    """The files that are meant by files, folders (their pictures, without subfolders) and patterns, each once.

    Raises:
        UsageError: there are no words.
        DataError: a word means no file at all.
    """
    if not words:
        raise UsageError('no pictures given; expected files, folders or patterns behind the detector')
    return list(dict.fromkeys(file for word in words for file in _files(word)))


def _files(word: str) -> list[Path]:
    path = Path(word)
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        found = [file for file in files if file.suffix.lower() in PICTURE_ENDINGS]
        if not found:
            endings = ', '.join(sorted(PICTURE_ENDINGS))
            raise DataError(f'{path}: a folder without pictures; expected files ending in {endings}')
        if len(found) < len(files):
            say(f'{path}: {len(files) - len(found)} other files skipped')
        return found
    found = sorted(file for file in map(Path, glob.glob(word, recursive=True)) if file.is_file())
    if not found:
        raise DataError(f'{word}: no such file or folder, and a pattern that nothing matches')
    return found


def out_paths(files: Sequence[Path], out: Path) -> list[Path]:
    """One path a picture in `out`, by its stem; a stem that stands twice (a/1.png, b/1.png) gets a number."""
    taken: set[str] = set()
    paths = []
    for file in files:
        stem, number = file.stem, 1
        while stem.casefold() in taken:  # some file systems know no case
            number += 1
            stem = f'{file.stem}-{number}'
        taken.add(stem.casefold())
        paths.append(out / f'{stem}{OUT_ENDING}')
    return paths


def predict(finder: Finder, other: Finder | None, files: Sequence[Path], rules: Rules, out: Path) -> Outcome:
    """Write every picture with what was found in it, and `predictions.json`, to the folder `out`, which is made.

    Drawn pictures have the size of their files, small ones at least `LEAST_SIDE`; the list is in px of the files. With
    `other`, both detectors' boxes are side by side, under the same rules, and what differs is marked.

    Raises:
        UsageError: `out` holds the pictures themselves, or is no folder.
        ConfigError: the detectors have different classes.
        DataError: a picture cannot be read; then nothing was written.
    """
    if other and other.classes != finder.classes:
        raise ConfigError(
            f'{other.path} has the classes {other.classes}, {finder.path} has {finder.classes}; '
            'only detectors with the same classes can be compared'
        )
    _require_apart(files, out)
    for file in files:
        read_bgr(file)  # a broken one shall not be found out after hours
    out.mkdir(parents=True, exist_ok=True)
    headers = (finder.path, other.path if other else '')
    entries, agreements, boxes = [], [], Counter[str]()
    for file, target in progress(list(zip(files, out_paths(files, out), strict=True)), 'pictures'):
        bgr = read_bgr(file)
        found, others = _found(finder, other, bgr, rules)
        boxes.update(finder.classes[label] for label in found.labels)
        entry = {'file': str(file), 'picture': target.name, **_entry(bgr, found, finder.classes)}
        canvas = resized(bgr, LEAST_SIDE) if max(bgr.shape[:2]) < LEAST_SIDE else bgr
        if others is not None:
            compared = agreement(found, others, _size(bgr))
            agreements.append(compared)
            entry['compared'] = _entry(bgr, others, finder.classes)['detections']
            pair = drawn_pair(canvas, found, others, finder.classes, compared)
            write_picture(target, beside(*pair, headers))
        else:
            write_picture(target, drawn(canvas, found, finder.classes))
        entries.append(entry)
    compared_total = total(agreements) if other else None
    write_report(out / LIST, _list(finder, other, rules, entries, compared_total))
    return Outcome(len(files), boxes, compared_total)


def _found(finder: Finder, other: Finder | None, bgr: Picture, rules: Rules) -> tuple[Detections, Detections | None]:
    if other is None:
        return finder.find(bgr, rules), None
    return found_by_both(partial(finder.find, bgr), partial(other.find, bgr), rules)


def _require_apart(files: Sequence[Path], out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f'--out {out}: a file, expected a folder')
    for folder in {file.parent for file in files}:
        if out.exists() and out.samefile(folder):
            raise UsageError(f'--out {out}: the folder of the pictures themselves; choose another one')


def _size(bgr: Picture) -> tuple[int, int]:
    height, width = bgr.shape[:2]
    return width, height


def _entry(bgr: Picture, found: Detections, classes: Sequence[str]) -> dict[str, Any]:
    width, height = _size(bgr)
    rows = zip(found.labels, found.scores, in_pixels(found, (width, height)), strict=True)
    return {
        'width': width,
        'height': height,
        'detections': [
            {'label': classes[label], 'score': round(float(score), 4), 'box': [round(float(side), 2) for side in box]}
            for label, score, box in rows
        ],
    }


def _list(
    finder: Finder, other: Finder | None, rules: Rules, entries: Sequence[dict[str, Any]], compared: Total | None
) -> dict[str, Any]:
    return {
        'detector': finder.path,
        **({'compared_with': other.path} if other else {}),
        **({'agreement': asdict(compared)} if compared else {}),
        'score_threshold': rules.score_threshold,
        'iou_threshold': rules.iou_threshold,
        'pictures': list(entries),
    }


def summary(outcome: Outcome) -> Iterator[str]:
    """What was found, in lines."""
    counts = ', '.join(f'{name} {count}' for name, count in outcome.boxes.most_common())
    yield f'pictures: {outcome.pictures}, boxes: {outcome.boxes.total()}{counts and f" ({counts})"}'
    if outcome.compared:
        yield outcome.compared.said('left', 'right')
