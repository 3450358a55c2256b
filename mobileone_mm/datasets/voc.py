"""VOC sets as mmdet reads them, but checked."""

import math
import os
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import mmcv
from mmdet.datasets import VOCDataset as MMDetVOCDataset
from mmengine.fileio import get

from mobileone_mm.datasets.checked import Checked
from mobileone_mm.datasets.checks import Tally, box_fault, numbers, reaches_out, require_file, require_stems
from mobileone_mm.datasets.parts import require_part
from mobileone_mm.datasets.picture_facts import image_facts
from mobileone_mm.datasets.voc_file import ROOT, parsed, require_found
from mobileone_mm.errors import DataError, shown
from mobileone_mm.registry import DATASETS


@DATASETS.register_module()
class VOCDataset(Checked, MMDetVOCDataset):  # type: ignore[misc]  # mmdet is untyped
    """mmdet's VOCDataset for any classes and image endings, checked while it is read.

    `ann_file` lists image names without ending, one a line; the images lie in JPEGImages, one XML file each in
    Annotations.

    Args:
        drop_other_classes: leave out (and count) boxes of classes that `metainfo` does not name, instead of refusing.
        check: look at all image files before the first step: whether they can be read, and have the size that their
            XML files give; what is known of unchanged files is kept. Without it, only that they are there.
        part: 'train' or 'val' of a set that has no validation images of its own: `val_share` of it is held out, by
            the images' names and the seed, but so that training keeps an image of each class. 'all' for a set that is
            not split.
        val_share: see `part`.
        seed: see `part`.
        options: everything that mmdet's VOCDataset takes.

    Raises:
        DataError: a class that the config does not have, an image or an XML file that is missing or cannot be read, an
            image of another size than its XML file says, an empty set.
    """

    def __init__(
        self,
        drop_other_classes: bool = False,
        check: bool = True,
        part: str = 'all',
        val_share: float = 0.2,
        seed: int = 0,
        **options: Any,
    ) -> None:
        require_part(part, val_share)
        self.drop_other_classes, self.check = drop_other_classes, check
        self.part, self.val_share, self.seed = part, val_share, seed
        super().__init__(**options)
        if self._metainfo['classes'] != self.METAINFO['classes']:
            # mmdet reads the VOC year off the folder's name and would print VOC's classes beside the user's results.
            self._metainfo['dataset_type'] = None

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list and every XML file; boxes as x1, y1, x2, y2 in pixels from 0 (VOC counts from 1)."""
        classes = self.checked_classes()
        self.cat2label = {name: label for label, name in enumerate(classes)}
        # Windows editors write a byte order mark, and a name need not be text.
        lines = self.read(get).decode('utf-8-sig', 'surrogateescape').split('\n')
        stems = [line.strip() for line in lines if line.strip()]
        twice = [stem for stem, count in Counter(stems).items() if count > 1]
        if twice:
            raise DataError(f'{self.ann_file}: {shown(twice)} stands more than once; list each image once')
        if self.part != 'all':
            own = self.own_part({stem: self._classes_in(self._xml_path(stem)) for stem in stems})
            stems = [stem for stem in stems if stem in own]
        folder = os.path.join(self.sub_data_root, self.img_subdir)
        files = require_stems(folder, stems, self.backend_args)
        self._facts = self.look_at_images([os.path.join(folder, files[stem]) for stem in stems])
        self._tally = Tally()
        self.data_list = [
            self.parse_data_info(
                {
                    'img_id': stem,
                    'file_name': os.path.join(self.img_subdir, files[stem]),
                    'xml_path': self._xml_path(stem),
                }
            )
            for stem in stems
        ]
        self.refuse_strangers(self._tally, classes)
        self.refuse_faulty_images(self._facts)
        self.report(self._tally)
        return self.data_list

    def parse_data_info(self, img_info: dict[str, Any]) -> dict[str, Any]:
        """Read one XML file."""
        xml_path = img_info['xml_path']
        img_path = os.path.join(self.sub_data_root, img_info['file_name'])
        try:
            root = self._root(xml_path)
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

    def _xml_path(self, stem: str) -> str:
        return os.path.join(self.sub_data_root, self.ann_subdir, f'{stem}.xml')

    def _classes_in(self, xml_path: str) -> set[str]:
        """The classes that an XML file has boxes of; none of one that cannot be read, which its own part says."""
        try:
            objects = self._root(xml_path).findall('object')
        except (OSError, ET.ParseError, ValueError, TypeError):
            return set()
        return {one.findtext('name') or '' for one in objects if one.findtext('difficult') != '1'} & {*self.cat2label}

    def _root(self, xml_path: str) -> ET.Element:
        """The root of an XML file, in whatever encoding it declares.

        Raises:
            OSError, ET.ParseError, ValueError: it cannot be read, or has another form.
        """
        if self.backend_args is None:
            require_file(xml_path)
        content = get(xml_path, backend_args=self.backend_args)
        root = parsed(content)
        if root.tag != ROOT:
            raise ValueError(f'its root is <{root.tag}>, not <{ROOT}>')
        require_found(root)
        nameless = sum(not (one.findtext('name') or '').strip() for one in root.findall('object'))
        if nameless:
            raise ValueError(f'{nameless} <object> without a <name>')
        for mark in root.findall('object/difficult'):
            if int(mark.text or '') not in (0, 1):  # mmdet leaves out any that are not 0
                raise ValueError(f'<difficult> is {mark.text}, expected 0 or 1')
        return root

    def _image_size(self, img_path: str) -> tuple[int, int]:
        """Width and height in px of an image, as it is loaded."""
        if self.backend_args is None:
            facts = self._facts.get(img_path) or image_facts(img_path)
            if facts.fault:
                raise ValueError(f'it gives no size, and {img_path} is no image that can be read: {facts.fault}')
            return (facts.width, facts.height) if self.upright else facts.stored_size
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
                self._tally.meet(str(name), place)
            elif fault:
                self._tally.drop(fault, place)
            else:
                self._tally.reaching += reaches_out(box, width, height)
                continue
            root.remove(element)
