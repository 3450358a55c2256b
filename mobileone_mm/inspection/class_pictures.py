"""A classifier's data: pictures, each of a class."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobileone_mm.datasets import class_faults
from mobileone_mm.datasets.faults import fault_text
from mobileone_mm.datasets.picture_facts import look_at
from mobileone_mm.inspection.content import IMAGES, Content, spreads
from mobileone_mm.inspection.kind import SIDE, Infos, Kind, Palette
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.sheet import captioned, fitted

LOGGER = logging.getLogger(__name__)


def _content(dataset: Any, sets: Sequence[Any], infos: Infos) -> Content:
    classes = _class_names(dataset, infos)
    counts = np.zeros(len(classes), np.int64)
    pictures: dict[str, list[str]] = {name: [] for name in classes}
    for info in infos:
        for label in _labels(info):
            counts[label] += 1
            pictures[classes[label]] += [info['img_path']] if 'img_path' in info else []
    paths = list(dict.fromkeys(info['img_path'] for info in infos if 'img_path' in info))  # CIFAR's are in one file
    facts = look_at(paths, (), LOGGER.info)
    faults = [*class_faults.unreadable(paths, facts)]
    if all(len(_labels(info)) == 1 for info in infos):
        faults += class_faults.in_two_classes(pictures)
    sizes = [(facts[path].width, facts[path].height) for path in paths if not facts[path].fault]
    notes = [note for one in sets for note in getattr(one, 'notes', ())]
    if not notes and (uneven := class_faults.imbalance(dict(zip(classes, counts.tolist(), strict=True)))):
        notes.append(uneven)
    found = tuple(counts.tolist())
    text = fault_text(faults, class_faults.cures_of(faults), 'pictures', len(infos)) if faults else ''
    of_all = IMAGES, len(infos), spreads(sizes), classes
    return Content(*of_all, found, found, 0, None, frozenset(paths), (), text, tuple(notes))


def _class_names(dataset: Any, infos: Infos) -> tuple[str, ...]:
    """The names that a classifier's data set has, else the numbers of its labels."""
    highest = max((int(label) for info in infos for label in _labels(info)), default=-1)
    return tuple(dataset.metainfo.get('classes') or map(str, range(highest + 1)))


def _labels(info: Mapping[str, Any]) -> Sequence[int]:
    """The labels of an image: one, several of a multi-label set, none of test data."""
    return [int(label) for label in np.ravel(info.get('gt_label', ()))]


def _drawn(picture: Picture, sample: Any, names: Sequence[str], _palette: Palette) -> Picture:
    """The picture above the name of its class, or the number of one that has none."""
    labels = [int(label) for label in sample.gt_label] if 'gt_label' in sample else []
    said = [names[label] if label < len(names) else str(label) for label in labels]
    return captioned(fitted(picture, SIDE), ', '.join(said) or 'no class')


KIND = Kind(_content, _drawn, 'classes')
