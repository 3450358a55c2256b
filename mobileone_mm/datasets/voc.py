"""VOC sets as mmdet reads them, but checked."""

import math
import os
import xml.etree.ElementTree as ET
from collections import Counter
from functools import partial
from typing import Any

import mmcv
from mmdet.datasets import VOCDataset as MMDetVOCDataset
from mmengine.fileio import get, get_text, list_from_file

from mobileone_mm.datasets.checked import Checked
from mobileone_mm.datasets.checks import Tally, box_fault, numbers, require_stems
from mobileone_mm.errors import DataError, shown
from mobileone_mm.registry import DATASETS


@DATASETS.register_module()
class VOCDataset(Checked, MMDetVOCDataset):  # type: ignore[misc]  # mmdet is untyped
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
        classes = self.checked_classes()
        self.cat2label = {name: label for label, name in enumerate(classes)}
        lines = self.read(partial(list_from_file, encoding='utf-8-sig'))  # Windows editors write a byte order mark
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
        self.refuse_strangers(self._tally, classes)
        self.report(self._tally)
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
