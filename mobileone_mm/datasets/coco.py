"""COCO and VOC sets as mmdet reads them, but checked: what mmdet drops in silence or dies of later is said at once.

Boxes that no loss can use are dropped and counted, once, in the log. Whatever else does not fit (a class, an id, an
image, the whole set) raises `DataError` while the set is being read, which is before the first step.
"""

import logging
import math
import os
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import mmcv
from mmdet.datasets import CocoDataset as MMDetCocoDataset
from mmdet.datasets import VOCDataset as MMDetVOCDataset
from mmengine.fileio import get, get_text, list_from_file, load
from mmengine.logging import print_log

from mobileone_mm.datasets.checks import (
    Tally,
    box_fault,
    json_box,
    nearest,
    number,
    numbers,
    require_coco,
    require_images,
    require_known,
    require_scorable,
    require_stems,
    shown,
)
from mobileone_mm.errors import DataError
from mobileone_mm.registry import DATASETS


class _Checked:
    """What both formats share; the mmdet class beside it in the bases reads and serves."""

    ann_file: str
    data_prefix: dict[str, str]
    backend_args: Mapping[str, Any] | None
    filter_cfg: Mapping[str, Any] | None
    test_mode: bool
    data_list: list[dict[str, Any]]
    _metainfo: dict[str, Any]
    drop_other_classes: bool

    def _checked_classes(self) -> tuple[str, ...]:
        """The set's classes, with a palette that is long enough for them."""
        classes = self._metainfo.get('classes')
        if isinstance(classes, str):
            raise DataError(f"classes={classes!r} is one string, expected a tuple; for one class write: ('{classes}',)")
        if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
            raise DataError(f'classes={classes!r} given, expected a tuple of names; write them as texts, in quotes')
        if not classes or len(set(classes)) != len(classes):
            raise DataError(f'classes={classes!r} given, expected at least one name and none twice')
        if len(self._metainfo.get('palette', ())) < len(classes):
            self._metainfo['palette'] = 'random'
        return tuple(classes)

    def _read(self, read: Callable[..., Any]) -> Any:
        try:
            return read(self.ann_file, backend_args=self.backend_args)
        except (OSError, ValueError, TypeError) as error:  # TypeError: mmengine's, for an ending that it does not know
            raise DataError(
                f'{self.ann_file}: cannot be read ({error}); expected the annotation file; '
                'set data_root and ann_file in the config'
            ) from error

    def _refuse_strangers(self, tally: Tally, classes: Sequence[str]) -> None:
        if tally.strangers and not self.drop_other_classes:
            named = shown(f'{name!r} ({count} boxes)' for name, count in tally.strangers.most_common())
            raise DataError(
                f'{self.ann_file}: boxes of classes that the config does not have: {named}; expected only '
                f'{shown(classes)}{nearest(tally.strangers, classes)}; mend the names in the config or the file, or '
                'leave these boxes out with drop_other_classes=True in the dataset'
            )
        for name, count in tally.strangers.items():
            tally.dropped[f'of other class {name!r}'] += count

    def _report(self, tally: Tally) -> None:
        level = logging.WARNING if tally.dropped else logging.INFO
        print_log(f'{self.ann_file}: {len(self.data_list)} images, {tally}', 'current', level)

    def filter_data(self) -> list[dict[str, Any]]:
        """Leave images without boxes and images that are too small out of training, and say how many they were.

        Raises:
            DataError: nothing is left.
        """
        kept, options = self.data_list, self.filter_cfg or {}
        if not self.test_mode:
            min_size = options.get('min_size', 0)
            kept = [info for info in kept if min(info['width'], info['height']) >= min_size]
            small = len(self.data_list) - len(kept)
            boxed = [info for info in kept if info['instances']]
            empty, used = len(kept) - len(boxed), 'used'
            if options.get('filter_empty_gt', False):
                kept, used = boxed, 'left out'
            if small or empty:
                print_log(
                    f'{self.ann_file}: {empty} images without boxes {used}, {small} below {min_size} px left out',
                    'current',
                )
        if not kept:
            raise DataError(
                f'{self.ann_file}: the set is empty: {len(self.data_list)} images listed, none of them usable; '
                'expected at least one image' + ('' if self.test_mode else ' with a box of one of the classes')
            )
        return kept


@DATASETS.register_module()
class CocoDataset(_Checked, MMDetCocoDataset):  # type: ignore[misc]  # mmdet is untyped
    """mmdet's CocoDataset, checked while it is read.

    Args:
        drop_other_classes: leave out (and count) boxes of classes that `metainfo` does not name, instead of refusing.
        options: everything that mmdet's CocoDataset takes.

    Raises:
        DataError: a class that the file does not have or has in another order, a category id or an image that does not
            exist, an unreadable file, an empty set.
    """

    def __init__(self, *args: Any, drop_other_classes: bool = False, **options: Any) -> None:
        self.drop_other_classes = drop_other_classes
        super().__init__(*args, **options)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotation file; boxes as x1, y1, x2, y2 in pixels, labels in the order of `classes`."""
        classes = self._checked_classes()
        content = self._read(load)
        require_coco(self.ann_file, content)
        names = {category['id']: category['name'] for category in content['categories']}
        self.cat_ids = self._category_ids(names, classes)
        self.cat2label = {category: label for label, category in enumerate(self.cat_ids)}
        tally = Tally()
        annotations = self._by_image(content, names, tally)
        require_images(self.data_prefix['img'], [image['file_name'] for image in content['images']], self.backend_args)
        self.data_list = [self._image(image, annotations[image['id']], tally) for image in content['images']]
        self._refuse_strangers(tally, classes)
        self._report(tally)
        return self.data_list

    def _category_ids(self, names: Mapping[int, str], classes: Sequence[str]) -> list[int]:
        missing = [name for name in classes if name not in names.values()]
        if missing:
            raise DataError(
                f'{self.ann_file}: has no category {shown(missing)}; its categories: {shown(names.values())}'
                f'{nearest(missing, list(names.values()))}; write the classes in the config as the file has them'
            )
        ids = [category for category, name in names.items() if name in classes]
        if len(ids) > len(classes):
            of_ids = shown(f'{category!r} = {names[category]}' for category in ids)
            raise DataError(f'{self.ann_file}: a class stands under two ids: {of_ids}; give each category its own name')
        ordered = tuple(names[category] for category in ids)
        if ordered != tuple(classes):
            # pycocotools, and with it CocoMetric, numbers classes in the file's order whatever the config says.
            raise DataError(
                f'{self.ann_file}: its categories come in another order than the classes of the config, and COCO '
                f'evaluation would mix them up; write classes={ordered!r}'
            )
        return ids

    def _by_image(
        self, content: Mapping[str, Any], names: Mapping[int, str], tally: Tally
    ) -> defaultdict[int, list[dict[str, Any]]]:
        """Annotations of our classes by image id."""
        require_known(self.ann_file, content['annotations'], 'category_id', names)
        images = {image['id']: image['file_name'] for image in content['images']}
        require_known(self.ann_file, content['annotations'], 'image_id', images)
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            category = annotation['category_id']
            if category not in self.cat2label:
                tally.strangers[names[category]] += 1
            else:
                annotations[annotation['image_id']].append(annotation)
        if self.test_mode:
            require_scorable(self.ann_file, [box for group in annotations.values() for box in group])
        return annotations

    def _image(self, image: dict[str, Any], annotations: Sequence[dict[str, Any]], tally: Tally) -> dict[str, Any]:
        sound = []
        for annotation in annotations:
            box = json_box(annotation['bbox'])
            corners = [box[0], box[1], box[0] + box[2], box[1] + box[3]] if box else []
            fault = box_fault(corners, image['width'], image['height'])
            if fault:
                tally.drop(fault, image['file_name'])
            else:
                # mmdet skips boxes whose area (of the mask) is not above 0; many converters of plain boxes write 0.
                area = number(annotation.get('area'))
                sound.append({**annotation, 'bbox': box, 'area': area if area > 0 else box[2] * box[3]})
        tally.kept += len(sound)
        raw = {'raw_img_info': {**image, 'img_id': image['id']}, 'raw_ann_info': sound}
        parsed: dict[str, Any] = super().parse_data_info(raw)
        return parsed


@DATASETS.register_module()
class VOCDataset(_Checked, MMDetVOCDataset):  # type: ignore[misc]  # mmdet is untyped
    """mmdet's VOCDataset for any classes and image endings, checked while it is read.

    `ann_file` lists image names without ending, one a line; the images lie in JPEGImages, one XML file each in
    Annotations.

    Args:
        drop_other_classes: leave out (and count) boxes of classes that `metainfo` does not name, instead of refusing.
        options: everything that mmdet's VOCDataset takes.

    Raises:
        DataError: a class that the config does not have, an image or an XML file that is missing or cannot be read, an
            empty set.
    """

    def __init__(self, drop_other_classes: bool = False, **options: Any) -> None:
        self.drop_other_classes = drop_other_classes
        super().__init__(**options)
        if self._metainfo['classes'] != self.METAINFO['classes']:
            # mmdet reads the VOC year off the folder's name and would print VOC's classes beside the user's results.
            self._metainfo['dataset_type'] = None

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list and every XML file; boxes as x1, y1, x2, y2 in pixels from 0 (VOC counts from 1)."""
        classes = self._checked_classes()
        self.cat2label = {name: label for label, name in enumerate(classes)}
        lines = self._read(partial(list_from_file, encoding='utf-8-sig'))  # Windows editors write a byte order mark
        stems = [line.strip() for line in lines if line.strip()]
        twice = [stem for stem, count in Counter(stems).items() if count > 1]
        if twice:
            raise DataError(f'{self.ann_file}: {shown(twice)} stands more than once; list each image once')
        folder = os.path.join(self.sub_data_root, self.img_subdir)
        files = require_stems(folder, stems, self.backend_args)
        self._tally = Tally()
        self.data_list = [
            self.parse_data_info(
                {
                    'img_id': stem,
                    'file_name': os.path.join(self.img_subdir, files[stem]),
                    'xml_path': os.path.join(self.sub_data_root, self.ann_subdir, f'{stem}.xml'),
                }
            )
            for stem in stems
        ]
        self._refuse_strangers(self._tally, classes)
        self._report(self._tally)
        return self.data_list

    def parse_data_info(self, img_info: dict[str, Any]) -> dict[str, Any]:
        """Read one XML file."""
        xml_path = img_info['xml_path']
        img_path = os.path.join(self.sub_data_root, img_info['file_name'])
        try:
            root = ET.fromstring(get_text(xml_path, backend_args=self.backend_args))
            width, height = (int(float(root.findtext(f'size/{side}') or 0)) for side in ('width', 'height'))
            if min(width, height) < 0:
                raise ValueError(f'its size is {width} x {height} pixels')
            if not (width and height):  # some writers leave the size out or zero
                width, height = self._image_size(img_path)
            self._drop_unusable(root, width, height, os.path.basename(xml_path))
            instances = self._parse_instance_info(root, minus_one=True)
        except (OSError, ET.ParseError, ValueError, TypeError, OverflowError) as error:
            raise DataError(
                f'{xml_path}: cannot be read as a VOC annotation ({error}); expected <size> and <object> with <name> '
                'and <bndbox>; mend the file or take its line out of the list'
            ) from error
        self._tally.kept += len(instances)
        return {**img_info, 'img_path': img_path, 'height': height, 'width': width, 'instances': instances}

    def _image_size(self, img_path: str) -> tuple[int, int]:
        content = get(img_path, backend_args=self.backend_args)
        pixels = mmcv.imfrombytes(content) if content else None  # OpenCV raises on nothing at all
        if pixels is None:
            raise ValueError(f'it gives no size, and {img_path} is no image that can be read')
        return pixels.shape[1], pixels.shape[0]

    def _drop_unusable(self, root: ET.Element, width: int, height: int, place: str) -> None:
        """Take out the objects that mmdet's parser would choke on or pass on to a loss that becomes NaN."""
        for element in root.findall('object'):
            name = element.findtext('name')
            # Whole pixels, because that is how mmdet reads them: a box of 10.2 to 10.8 has no width.
            corners = numbers(element.findtext(f'bndbox/{side}') for side in ('xmin', 'ymin', 'xmax', 'ymax'))
            box = [math.trunc(side) - 1 if math.isfinite(side) else side for side in corners]
            fault = box_fault(box, width, height)
            if name not in self.cat2label:
                self._tally.strangers[str(name)] += 1
            elif fault:
                self._tally.drop(fault, place)
            else:
                continue
            root.remove(element)
