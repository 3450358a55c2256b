"""Whether the content of a JSON file is what COCO's form has, told with the entry that is not."""

import math
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobileone_mm.datasets.checks import json_box, number
from mobileone_mm.errors import DataError, shown


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or math.isfinite(number(value))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ''


def _is_side(value: Any) -> bool:
    return 0 < number(value) < math.inf


def _is_anything(value: Any) -> bool:
    return True


def _is_flag(value: Any) -> bool:
    return value is None or value in (0, 1)  # whatever else stands there, a text for one, would count as a yes


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
COCO_FLAGS = ('iscrowd', 'ignore')  # of annotations, where they have them


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
        raise DataError(f'{file}: lacks {shown(lacking)}; expected a COCO instances file{_first_lacking(content)}')
    for part, rules in COCO_RULES.items():
        for key, rule in rules.items():
            _require_values(file, part, key, content[part], rule)
        twice = [key for key, count in Counter(entry['id'] for entry in content[part]).items() if count > 1]
        if twice:
            raise DataError(f'{file}: {part}: id {shown(twice)} stands more than once; make ids unique')
    for key in COCO_FLAGS:
        _require_values(file, 'annotations', key, content['annotations'], (_is_flag, '0 or 1'))


def _first_lacking(content: Mapping[str, Any]) -> str:
    for part, rules in COCO_RULES.items():
        for index, entry in enumerate(content.get(part, ())):
            if not rules.keys() <= entry.keys():
                return f'; the first entry that lacks something is {part}[{index}]'
    return ''


def _require_objects(file: str, part: str, entries: Any) -> None:
    wrong = [entries] if not isinstance(entries, list) else [entry for entry in entries if not isinstance(entry, dict)]
    if wrong:
        raise DataError(
            f'{file}: {part}: {reprlib.repr(wrong[0])} given, expected a list of objects with '
            f'{", ".join(COCO_RULES[part])}; mend the file'
        )


def _require_values(file: str, part: str, key: str, entries: Sequence[Mapping[str, Any]], rule: _Rule) -> None:
    fits, expected = rule
    wrong = [index for index, entry in enumerate(entries) if not fits(entry.get(key))]
    if wrong:
        given = dict.fromkeys(reprlib.repr(entries[index].get(key)) for index in wrong)
        raise DataError(
            f'{file}: {part}: {key}: {shown(given)} given in {len(wrong)} of {len(entries)} entries, '
            f'expected {expected}; mend the file, first {part}[{wrong[0]}]'
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
