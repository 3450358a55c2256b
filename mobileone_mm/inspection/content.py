"""What a data set holds: how much of each class, of which sizes, and what is wrong with it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobileone_mm.datasets import class_faults
from mobileone_mm.datasets.faults import fault_text
from mobileone_mm.datasets.mask_faults import scan
from mobileone_mm.datasets.mask_files import Pair
from mobileone_mm.datasets.mask_rules import Rules, labels_of_ids
from mobileone_mm.datasets.picture_facts import look_at
from mobileone_mm.errors import DataError

LOGGER = logging.getLogger(__name__)

BOXES, PIXELS, IMAGES = 'boxes', 'pixels', 'images'  # what is counted


@dataclass(frozen=True)
class Spread:
    """The smallest, middle and largest of some numbers, in px."""

    least: float
    median: float
    most: float


@dataclass(frozen=True)
class Content:
    """What a data set holds.

    Attributes:
        unit: of what is counted, `BOXES`, `PIXELS` or `IMAGES`.
        images: number of images.
        image_size: spreads of width and height; None where nothing says them.
        classes: names, in the order of the labels.
        counts: boxes, pixels or images of each class.
        images_with: images with each class.
        ignored: boxes or pixels that no loss uses.
        box_size: spreads of the boxes' width and height, in px of the images; None without boxes.
        paths: of the images.
        palette: an RGB colour a class; empty where there is none.
        faults: what has to be mended, as a text; empty where there is nothing.
        notes: what a training survives and its user should know.
    """

    unit: str
    images: int
    image_size: tuple[Spread, Spread] | None
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    images_with: tuple[int, ...]
    ignored: int
    box_size: tuple[Spread, Spread] | None
    paths: frozenset[str]
    palette: tuple[tuple[int, ...], ...]
    faults: str = ''
    notes: tuple[str, ...] = ()

    @property
    def annotated(self) -> bool:
        """Whether there is any box or mask; of test data there need not be."""
        return any(self.counts) or self.ignored > 0 or bool(self.faults)


def content_of(dataset: Any, task: str) -> Content:
    """What a data set holds, whatever is wrapped around it; each image counts once.

    Args:
        dataset: of mmdet, mmseg or mmpretrain, read.
        task: 'detection', 'segmentation' or 'classification'.

    Raises:
        DataError: it holds no image.
    """
    sets = list(_innermost(dataset))
    infos = [one.get_data_info(index) for one in sets for index in range(len(one))]
    if not infos:
        raise DataError('the data set holds no image; set its paths in the config')
    if task == 'classification':
        return _classified(sets, infos, _class_names(dataset, infos))
    classes = tuple(dataset.metainfo['classes'])
    if task == 'detection':
        return _boxes(infos, classes)
    palette = tuple(tuple(map(int, colour)) for colour in dataset.metainfo.get('palette') or ())
    return _pixels(infos, classes, palette)


def _innermost(dataset: Any) -> Iterator[Any]:
    if hasattr(dataset, 'datasets'):  # ConcatDataset
        for one in dataset.datasets:
            yield from _innermost(one)
    elif hasattr(dataset, 'dataset'):  # RepeatDataset, ClassBalancedDataset ...
        yield from _innermost(dataset.dataset)
    else:
        yield dataset


def _boxes(infos: Sequence[Mapping[str, Any]], classes: tuple[str, ...]) -> Content:
    counts, images_with, ignored, sizes = [0] * len(classes), [0] * len(classes), 0, []
    for info in infos:
        used = [one for one in info.get('instances', ()) if not one.get('ignore_flag')]
        ignored += len(info.get('instances', ())) - len(used)
        for one in used:
            counts[one['bbox_label']] += 1
            left, top, right, bottom = one['bbox']
            sizes.append((right - left, bottom - top))
        for label in {one['bbox_label'] for one in used}:
            images_with[label] += 1
    shapes = [(info['width'], info['height']) for info in infos if 'width' in info]
    paths = frozenset(info['img_path'] for info in infos)
    found = tuple(counts), tuple(images_with), ignored, spreads(sizes), paths
    return Content(BOXES, len(infos), spreads(shapes), classes, *found, palette=())


def _pixels(infos: Sequence[Mapping[str, Any]], classes: tuple[str, ...], palette: Any) -> Content:
    pairs = [Pair(info['img_path'], info['img_path'], info.get('seg_map_path') or '') for info in infos]
    first = infos[0]
    labels = labels_of_ids(first.get('reduce_zero_label', False), first.get('label_map'))
    found = scan(pairs, Rules(classes, labels, first.get('colour_map')), LOGGER.info)
    return Content(
        PIXELS,
        len(infos),
        spreads(found.sizes),
        classes,
        found.pixels,
        found.images,
        found.ignored,
        None,
        frozenset(pair.image for pair in pairs),
        palette,
        fault_text(found.faults, found.cures, 'masks', len(pairs)) if found.faults else '',
    )


def _class_names(dataset: Any, infos: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names that a classifier's data set has, else the numbers of its labels."""
    highest = max((int(label) for info in infos for label in _labels(info)), default=-1)
    return tuple(dataset.metainfo.get('classes') or map(str, range(highest + 1)))


def _labels(info: Mapping[str, Any]) -> Sequence[int]:
    """The labels of an image: one, several of a multi-label set, none of test data."""
    return [int(label) for label in np.ravel(info.get('gt_label', ()))]


def _classified(sets: Sequence[Any], infos: Sequence[Mapping[str, Any]], classes: tuple[str, ...]) -> Content:
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


def spreads(sizes: Sequence[tuple[float, float]]) -> tuple[Spread, Spread] | None:
    """The spreads of widths and of heights; None of nothing."""
    if not sizes:
        return None
    numbers = np.array(sizes, np.float64)
    width, height = (Spread(float(a.min()), float(np.median(a)), float(a.max())) for a in numbers.T)
    return width, height
