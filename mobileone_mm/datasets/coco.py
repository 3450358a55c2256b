"""COCO sets as mmdet reads them, but checked."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import CocoDataset as MMDetCocoDataset
from mmengine.fileio import load

from mobileone_mm.datasets.checked import Checked
from mobileone_mm.datasets.checks import Tally, box_fault, json_box, nearest, number, reaches_out, require_images
from mobileone_mm.datasets.coco_file import require_coco, require_known, require_scorable
from mobileone_mm.datasets.parts import require_part
from mobileone_mm.errors import DataError, shown
from mobileone_mm.registry import DATASETS


@DATASETS.register_module()
class CocoDataset(Checked, MMDetCocoDataset):  # type: ignore[misc]  # mmdet is untyped
    """mmdet's CocoDataset, checked while it is read.

    Args:
        drop_other_classes: leave out (and count) boxes of classes that `metainfo` does not name, instead of refusing.
        check: look at all image files before the first step: whether they can be read, and have the size that the file
            gives; what is known of unchanged files is kept. Without it, only that they are there.
        part: 'train' or 'val' of a set that has no validation images of its own: `val_share` of it is held out, by
            the images' names and the seed, but so that training keeps an image of each class. 'all' for a set that is
            not split.
        val_share: see `part`.
        seed: see `part`.
        options: everything that mmdet's CocoDataset takes.

    Raises:
        DataError: a class that the file does not have or has in another order, a category id or an image that does not
            exist, an image of another size or that cannot be read, an unreadable file, an empty set.
    """

    def __init__(
        self,
        *args: Any,
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
        super().__init__(*args, **options)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the annotation file; boxes as x1, y1, x2, y2 in pixels, labels in the order of `classes`."""
        classes = self.checked_classes()
        content = self.read(load)
        require_coco(self.ann_file, content)
        names = {category['id']: category['name'] for category in content['categories']}
        self.cat_ids = self._category_ids(names, classes)
        self.cat2label = {category: label for label, category in enumerate(self.cat_ids)}
        images, tally = self._own_images(content), Tally()
        annotations = self._by_image(content, names, {image['id']: image['file_name'] for image in images}, tally)
        require_images(self.data_prefix['img'], [image['file_name'] for image in images], self.backend_args)
        self.data_list = [self._image(image, annotations[image['id']], tally) for image in images]
        self.refuse_strangers(tally, classes)
        self.refuse_faulty_images(self.look_at_images([info['img_path'] for info in self.data_list]))
        self.report(tally)
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

    def _own_images(self, content: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The images of this part of the set."""
        images = {image['id']: image['file_name'] for image in content['images']}
        require_known(self.ann_file, content['annotations'], 'image_id', images)
        classes: dict[str, set[int]] = {name: set() for name in images.values()}
        for annotation in content['annotations']:
            if annotation['category_id'] in self.cat2label and not annotation.get('iscrowd'):
                classes[images[annotation['image_id']]].add(annotation['category_id'])
        own = self.own_part(classes)
        return [image for image in content['images'] if image['file_name'] in own]

    def _by_image(
        self, content: Mapping[str, Any], names: Mapping[int, str], images: Mapping[int, str], tally: Tally
    ) -> defaultdict[int, list[dict[str, Any]]]:
        """Annotations of our classes by image id; of `images`, names by id."""
        require_known(self.ann_file, content['annotations'], 'category_id', names)
        annotations = defaultdict(list)
        for annotation in content['annotations']:
            category = annotation['category_id']
            if annotation['image_id'] not in images:
                continue
            if category not in self.cat2label:
                tally.meet(names[category], images[annotation['image_id']])
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
                tally.reaching += reaches_out(corners, image['width'], image['height'])
                sound.append({**annotation, 'bbox': box, 'area': area if area > 0 else box[2] * box[3]})
        tally.kept += len(sound)
        raw = {'raw_img_info': {**image, 'img_id': image['id']}, 'raw_ann_info': sound}
        parsed: dict[str, Any] = super().parse_data_info(raw)
        return parsed
