"""What checked COCO and VOC sets share: what mmdet drops in silence or dies of later is said at once.

Boxes that no loss can use are dropped and counted, once, in the log. Whatever else does not fit (a class, an id, an
image that cannot be read or has another size than its boxes are for, the whole set) raises `DataError` while the set is
being read, which is before the first step.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mmengine.dist import get_rank
from mmengine.logging import print_log

from mobileone_mm.datasets import box_pictures
from mobileone_mm.datasets.box_pictures import IGNORING, Annotated
from mobileone_mm.datasets.checks import Tally, class_names, nearest, require_file
from mobileone_mm.datasets.faults import require_none
from mobileone_mm.datasets.parts import names_of_part
from mobileone_mm.datasets.picture_facts import Facts, look_at
from mobileone_mm.datasets.transforms.one_warp import steps_of
from mobileone_mm.errors import DataError, shown
from mobileone_mm.openmmlab.data_sets import require_plain
from mobileone_mm.openmmlab.log import say_on_screen

NEVER_TURNING = ('turbojpeg', 'tifffile')  # mmcv's ways to decode that know no EXIF data


class Checked:
    """What both formats share; the mmdet class beside it in the bases reads and serves."""

    ann_file: str
    data_prefix: dict[str, str]
    backend_args: Mapping[str, Any] | None
    filter_cfg: Mapping[str, Any] | None
    test_mode: bool
    data_list: list[dict[str, Any]]
    _metainfo: dict[str, Any]
    pipeline: Any
    drop_other_classes: bool
    check: bool
    part: str
    val_share: float
    seed: int

    def checked_classes(self) -> tuple[str, ...]:
        """The set's classes, with a palette that is long enough for them."""
        classes = class_names(self._metainfo.get('classes'))
        require_plain(classes)
        if len(self._metainfo.get('palette', ())) < len(classes):
            self._metainfo['palette'] = 'random'
        return classes

    def read(self, read: Callable[..., Any]) -> Any:
        """The content of the annotation file, as `read` gives it."""
        try:
            if self.backend_args is None:
                require_file(self.ann_file)
            return read(self.ann_file, backend_args=self.backend_args)
        except RecursionError as error:
            raise DataError(
                f"{self.ann_file}: cannot be read (it is nested too deeply); expected COCO's form"
            ) from error
        except (OSError, ValueError, TypeError) as error:  # TypeError: mmengine's, for an ending that it does not know
            raise DataError(
                f'{self.ann_file}: cannot be read ({error}); expected the annotation file; '
                'set data_root and ann_file in the config'
            ) from error

    def own_part(self, classes: Mapping[str, Collection[Any]]) -> set[str]:
        """The names of the images that belong to this part of the set.

        Args:
            classes: of the boxes in each image of the whole set, by its name.

        Raises:
            DataError: there is too little to split.
        """
        try:
            return names_of_part(self.part, classes, self.val_share, self.seed, classes)
        except DataError as error:
            raise DataError(f'{self.ann_file}: {error}') from error

    @property
    def upright(self) -> bool:
        """Whether the pipeline turns pictures as their EXIF data say; mmcv's loaders do unless told not to."""
        return not any(
            'ignore_orientation' in str(getattr(step, 'color_type', ''))
            or getattr(step, 'color_type', '') == 'unchanged'
            or getattr(step, 'imdecode_backend', '') in NEVER_TURNING
            for step in steps_of(self.pipeline)
        )

    def look_at_images(self, paths: Sequence[str]) -> Mapping[str, Facts]:
        """What the image files hold; nothing where it is not looked at, or they lie on other machines."""
        return look_at(paths, (), say_on_screen) if self.check and self.backend_args is None else {}

    def refuse_faulty_images(self, facts: Mapping[str, Facts]) -> None:
        """Refuse a set with image files that cannot be read, or are not of the size that their boxes are for.

        Raises:
            DataError: with all of them.
        """
        if not facts:
            return
        images = [Annotated(info['img_path'], info['width'], info['height']) for info in self.data_list]
        faults = list(box_pictures.faults_of(images, facts, self.upright))
        require_none(faults, box_pictures.cures_of(faults), self.ann_file, len(images), get_rank())
        if doubtful := box_pictures.doubtful(images, facts):
            loaded = 'training turns them' if self.upright else f'{IGNORING} leaves them as they are'
            print_log(
                f'{self.ann_file}: {len(doubtful)} images are turned or mirrored by EXIF data, which their '
                f'size does not show: {shown(doubtful)}; {loaded}; see in the samples of mobileone check whether their '
                'boxes fit',
                'current',
                logging.WARNING,
            )

    def refuse_strangers(self, tally: Tally, classes: Sequence[str]) -> None:
        if tally.strangers and not self.drop_other_classes:
            raise DataError(
                f'{self.ann_file}: boxes of classes that the config does not have: {shown(tally.met)}; expected only '
                f'{shown(classes)}{nearest(tally.strangers, classes)}; mend the names in the config or the file, or '
                'leave these boxes out with drop_other_classes=True in the dataset'
            )
        for name, count in tally.strangers.items():
            tally.dropped[f'of other class {name!r}'] += count

    def report(self, tally: Tally) -> None:
        level = logging.WARNING if tally.dropped else logging.INFO
        where = self.ann_file if self.part == 'all' else f'{self.ann_file}, part {self.part!r}'
        print_log(f'{where}: {len(self.data_list)} images, {tally}', 'current', level)

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
