"""What checked COCO and VOC sets share: what mmdet drops in silence or dies of later is said at once.

Boxes that no loss can use are dropped and counted, once, in the log. Whatever else does not fit (a class, an id, an
image, the whole set) raises `DataError` while the set is being read, which is before the first step.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mobileone_mm.datasets.checks import Tally, class_names, nearest
from mobileone_mm.errors import DataError, shown


class Checked:
    """What both formats share; the mmdet class beside it in the bases reads and serves."""

    ann_file: str
    data_prefix: dict[str, str]
    backend_args: Mapping[str, Any] | None
    filter_cfg: Mapping[str, Any] | None
    test_mode: bool
    data_list: list[dict[str, Any]]
    _metainfo: dict[str, Any]
    drop_other_classes: bool

    def checked_classes(self) -> tuple[str, ...]:
        """The set's classes, with a palette that is long enough for them."""
        classes = class_names(self._metainfo.get('classes'))
        if len(self._metainfo.get('palette', ())) < len(classes):
            self._metainfo['palette'] = 'random'
        return classes

    def read(self, read: Callable[..., Any]) -> Any:
        try:
            return read(self.ann_file, backend_args=self.backend_args)
        except (OSError, ValueError, TypeError) as error:  # TypeError: mmengine's, for an ending that it does not know
            raise DataError(
                f'{self.ann_file}: cannot be read ({error}); expected the annotation file; '
                'set data_root and ann_file in the config'
            ) from error

    def refuse_strangers(self, tally: Tally, classes: Sequence[str]) -> None:
        if tally.strangers and not self.drop_other_classes:
            named = shown(f'{name!r} ({count} boxes)' for name, count in tally.strangers.most_common())
            raise DataError(
                f'{self.ann_file}: boxes of classes that the config does not have: {named}; expected only '
                f'{shown(classes)}{nearest(tally.strangers, classes)}; mend the names in the config or the file, or '
                'leave these boxes out with drop_other_classes=True in the dataset'
            )
        for name, count in tally.strangers.items():
            tally.dropped[f'of other class {name!r}'] += count

    def report(self, tally: Tally) -> None:
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
