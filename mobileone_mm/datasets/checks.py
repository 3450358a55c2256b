"""What can be wrong with a set of boxes, found without mmdet: boxes, class names, files, too few images."""

import difflib
import math
import os
import reprlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mobileone_mm.errors import DataError, shown
from mobileone_mm.pictures.reading import PICTURE_ENDINGS

MIN_SIDE_PX = 1  # mmdet's COCO reader has the same floor; the log of a zero side is what makes a loss NaN


class Tally:
    """Counts what was read and what was left out of one annotation file, to be said in one line."""

    def __init__(self) -> None:
        self.kept = 0
        self.dropped: Counter[str] = Counter()
        self.places: list[str] = []
        self.strangers: Counter[str] = Counter()

    def drop(self, reason: str, place: str) -> None:
        """Count a box that cannot be used, and where it is."""
        self.dropped[reason] += 1
        if place not in self.places:
            self.places.append(place)

    def __str__(self) -> str:
        reasons = ', '.join(f'{count} {reason}' for reason, count in sorted(self.dropped.items()))
        dropped = f'; dropped {self.dropped.total()}: {reasons}' if self.dropped else ''
        if not (self.kept or self.dropped):
            return 'no annotations'
        return f'{self.kept} boxes{dropped}' + (f' (in {shown(self.places)})' if self.places else '')


def class_names(classes: Any) -> tuple[str, ...]:
    """The classes of a config's data set, checked.

    Raises:
        DataError: they are no tuple of names, each given once.
    """
    if isinstance(classes, str):
        raise DataError(f"classes={classes!r} is one string, expected a tuple; for one class write: ('{classes}',)")
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise DataError(f'classes={classes!r} given, expected a tuple of names; write them as texts, in quotes')
    if not classes or len(set(classes)) != len(classes):
        raise DataError(f'classes={classes!r} given, expected at least one name and none twice')
    return tuple(classes)


def box_fault(box_xyxy: Sequence[float], width: float, height: float) -> str | None:
    """Why a box cannot be trained on, or None if it can.

    Args:
        box_xyxy: left, top, right, bottom in pixels of the image.
        width: of the image, in pixels.
        height: of the image, in pixels.
    """
    if len(box_xyxy) != 4 or not all(math.isfinite(side) for side in box_xyxy):
        return 'not four finite numbers'
    left, top, right, bottom = box_xyxy
    if right - left < MIN_SIDE_PX or bottom - top < MIN_SIDE_PX:
        return 'of zero size'
    if min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
        return 'outside the image'
    return None


def numbers(texts: Iterable[Any]) -> list[float]:
    """Floats, NaN where there is no number."""
    values = []
    for text in texts:
        try:
            values.append(float(text))
        except (TypeError, ValueError):
            values.append(math.nan)
    return values


def number(value: Any) -> float:
    """A number of a JSON file as float, NaN for whatever else stands there; a text of digits is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an integer of some hundred digits
        return math.inf


def json_box(value: Any) -> list[float]:
    """The numbers of a `bbox` of a JSON file, nothing for what is not four finite ones."""
    box = [number(side) for side in value] if isinstance(value, list) else []
    return box if len(box) == 4 and all(math.isfinite(side) for side in box) else []


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or math.isfinite(number(value))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ''


def _is_side(value: Any) -> bool:
    return 0 < number(value) < math.inf


def _is_anything(value: Any) -> bool:
    return True


_Rule = tuple[Callable[[Any], bool], str]
_ID: _Rule = (_is_id, 'a number')
_NAME: _Rule = (_is_name, 'a text')
_SIDE: _Rule = (_is_side, 'a number of pixels above 0')
COCO_RULES: dict[str, dict[str, _Rule]] = {
    'images': {'id': _ID, 'file_name': _NAME, 'width': _SIDE, 'height': _SIDE},
    # A box that is no box costs that box, not the set.
    'annotations': {'id': _ID, 'image_id': _ID, 'category_id': _ID, 'bbox': (_is_anything, '')},
    'categories': {'id': _ID, 'name': _NAME},
}


def require_coco(file: str, content: Any) -> None:
    """Check that the content of a JSON file is a COCO instances file, up to which boxes can be used.

    Raises:
        DataError: a part or a key is missing, is of another type than COCO's, or an id stands twice.
    """
    if not isinstance(content, dict):
        raise DataError(
            f'{file}: holds {reprlib.repr(content)}, expected a COCO instances file: an object with '
            f'{shown(COCO_RULES)}; set ann_file in the config to that file'
        )
    lacking = [part for part in COCO_RULES if part not in content]
    for part, rules in COCO_RULES.items():
        _require_objects(file, part, content.get(part, []))
        lacking += sorted({f'{part}: {key}' for entry in content.get(part, ()) for key in rules if key not in entry})
    if lacking:
        raise DataError(f'{file}: lacks {shown(lacking)}; expected a COCO instances file')
    for part, rules in COCO_RULES.items():
        for key, rule in rules.items():
            _require_values(file, f'{part}: {key}', [entry[key] for entry in content[part]], rule)
        twice = [key for key, count in Counter(entry['id'] for entry in content[part]).items() if count > 1]
        if twice:
            raise DataError(f'{file}: {part}: id {shown(twice)} stands more than once; make ids unique')


def _require_objects(file: str, part: str, entries: Any) -> None:
    wrong = [entries] if not isinstance(entries, list) else [entry for entry in entries if not isinstance(entry, dict)]
    if wrong:
        raise DataError(
            f'{file}: {part}: {reprlib.repr(wrong[0])} given, expected a list of objects with '
            f'{", ".join(COCO_RULES[part])}; mend the file'
        )


def _require_values(file: str, place: str, values: Sequence[Any], rule: _Rule) -> None:
    fits, expected = rule
    wrong = [reprlib.repr(value) for value in values if not fits(value)]
    if wrong:
        raise DataError(
            f'{file}: {place}: {shown(dict.fromkeys(wrong))} given in {len(wrong)} of {len(values)} entries, '
            f'expected {expected}; mend the file'
        )


def require_known(file: str, annotations: Sequence[Mapping[str, Any]], key: str, known: Mapping[Any, str]) -> None:
    """Check that annotations point only at images or categories (`known`, names by id) that the file lists.

    Raises:
        DataError: some do not.
    """
    unknown = Counter(repr(annotation[key]) for annotation in annotations if annotation[key] not in known)
    if unknown:
        listed = shown(f'{entry!r} = {name}' for entry, name in known.items()) or 'none at all'
        raise DataError(
            f'{file}: {key} {shown(unknown)} in {unknown.total()} annotations, expected one that the file lists '
            f'({listed}); list what is meant or take these annotations out of the file'
        )


def require_scorable(file: str, annotations: Sequence[Mapping[str, Any]]) -> None:
    """Check what pycocotools, which reads the file by itself, would die of only after the first epoch.

    Raises:
        DataError: an area, an iscrowd or a bbox is missing or cannot be computed with.
    """
    faults = {
        'area': [not 0 <= number(annotation.get('area')) < math.inf for annotation in annotations],
        'iscrowd': [annotation.get('iscrowd') not in (0, 1) for annotation in annotations],
        'bbox': [not json_box(annotation['bbox']) for annotation in annotations],
    }
    lacking = [key for key, wrong in faults.items() if any(wrong)]
    if lacking:
        raise DataError(
            f'{file}: {sum(map(any, zip(*faults.values(), strict=True)))} annotations lack a usable {shown(lacking)}, '
            'which COCO evaluation needs; write "bbox": [x, y, width, height] in numbers, "iscrowd": 0 and '
            '"area": width * height'
        )


def nearest(given: Iterable[str], known: Sequence[str]) -> str:
    """' (did you mean 'RBC' for 'rbc'?)', or nothing."""
    by_lower = {name.lower(): name for name in known}
    for name in given:
        close = difflib.get_close_matches(name.strip().lower(), by_lower, n=1)
        if close:
            return f' (did you mean {by_lower[close[0]]!r} for {name!r}?)'
    return ''


def require_images(folder: str, names: Sequence[str], backend_args: Mapping[str, Any] | None) -> None:
    """Check that all images exist with one listing per folder: a stat per file takes minutes on network disks."""
    if backend_args is not None:  # not files of this machine
        return
    present: dict[str, frozenset[str]] = {}
    missing = []
    for name in names:
        parent, base = os.path.split(os.path.join(folder, name))
        if parent not in present:
            present[parent] = _listing(parent)
        if base not in present[parent]:
            missing.append(name)
    if missing:
        raise _missing_images(
            folder,
            missing,
            len(names),
            next(iter(present.values())),
            'otherwise take these images out of the annotation file',
        )


def require_stems(folder: str, stems: Sequence[str], backend_args: Mapping[str, Any] | None) -> dict[str, str]:
    """File name of each image; where several endings are there, the first of PICTURE_ENDINGS."""
    if backend_args is not None:
        return {stem: f'{stem}.jpg' for stem in stems}
    present = _listing(folder)
    ranked: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in present:
        stem, ending = os.path.splitext(name)
        if ending.lower() in PICTURE_ENDINGS:
            ranked[stem].append((PICTURE_ENDINGS.index(ending.lower()), name))
    missing = [stem for stem in stems if stem not in ranked]
    if missing:
        raise _missing_images(
            folder, missing, len(stems), present, 'the list needs one image name a line, without ending or more columns'
        )
    return {stem: min(ranked[stem])[1] for stem in stems}


def _listing(folder: str) -> frozenset[str]:
    return frozenset(os.listdir(folder)) if os.path.isdir(folder) else frozenset()


def _missing_images(folder: str, missing: Sequence[str], total: int, present: Iterable[str], advice: str) -> DataError:
    found = sorted(present)
    holds = f'it holds {len(found)} files: {shown(found)}' if found else 'it holds no files or does not exist'
    return DataError(
        f'{len(missing)} of {total} images are missing in {folder}: {shown(missing)}; {holds}; '
        f'set data_root and data_prefix in the config; {advice}'
    )
