"""Sets of images with a mask each, as mmseg reads them, but checked."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import get_rank
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from mobileone_mm.datasets.checks import class_names
from mobileone_mm.datasets.faults import require_none
from mobileone_mm.datasets.load_mask import LoadMask
from mobileone_mm.datasets.mask_faults import Scan, scan
from mobileone_mm.datasets.mask_files import Folders, faults_of, find_pairs, part_of, read_stems
from mobileone_mm.datasets.mask_rules import IGNORED, Rules, labels_of_ids, require_colours
from mobileone_mm.datasets.transforms.one_warp import steps_of
from mobileone_mm.errors import DataError, shown
from mobileone_mm.openmmlab.data_sets import require_plain
from mobileone_mm.openmmlab.log import say_on_screen
from mobileone_mm.pictures.colours import distinct_colours
from mobileone_mm.registry import DATASETS


@DATASETS.register_module()
class MaskDataset(BaseSegDataset):  # type: ignore[misc]  # mmseg is untyped
    """mmseg's BaseSegDataset for own masks, checked while it is read.

    `data_prefix` names the folder of the images (`img_path`) and of the masks (`seg_map_path`); an image and its mask
    have one name but for the ending. `ann_file` may name a text file that lists the names without endings; without it,
    all images are taken.

    Args:
        ignore_index: the id in the files, or ids, of what has no class; labels have 255 instead, as mmseg pads with
            it. 255 never has a class.
        img_suffix: what follows the shared name in an image's; None for whatever ending of a picture is there.
        seg_map_suffix: the same of masks.
        colour_map: for masks that hold colours (the pipeline loads them with `mobileone_mm.LoadMask`): one RGB colour
            a class, in the order of the classes, then those that are ignored.
        part: 'train' or 'val' of a set that has no validation images of its own: `val_share` of it is held out, by
            the images' names and the seed. 'all' for a set that is not split.
        val_share: see `part`.
        seed: see `part`.
        check: look for faults in all files before the first step; what is known of unchanged files is kept. Without
            it, only what their names say is looked at.
        options: everything else that mmseg's BaseSegDataset takes.

    Raises:
        DataError: a mask is missing, of another size than its image, holds ids without a class or colours, an image
            cannot be read: all of them at once; or an option does not fit.
    """

    def __init__(
        self,
        *,
        ignore_index: int | Sequence[int] = IGNORED,
        img_suffix: str | None = None,
        seg_map_suffix: str | None = None,
        colour_map: Sequence[Sequence[int]] | None = None,
        part: str = 'all',
        val_share: float = 0.2,
        seed: int = 0,
        check: bool = True,
        **options: Any,
    ) -> None:
        if options.get('backend_args') is not None:
            raise DataError("backend_args given, expected files of this machine; use mmseg's BaseSegDataset for others")
        metainfo = dict(options.pop('metainfo', None) or {})
        classes = class_names(metainfo.get('classes'))
        require_plain(classes)
        if len(classes) < 2:
            raise DataError(
                f'{len(classes)} class given, expected two or more: what is none of them is a class too, as a rule the '
                "first one, called 'background'"
            )
        if len(classes) > IGNORED:
            raise DataError(f'{len(classes)} classes given, expected at most {IGNORED}: an id is a byte')
        self.colour_map = None if colour_map is None else require_colours(colour_map, classes)
        if self.colour_map and not metainfo.get('palette'):
            metainfo['palette'] = [list(colour) for colour in self.colour_map[: len(classes)]]
        if not metainfo.get('palette'):
            metainfo['palette'] = distinct_colours(len(classes))
        if len(metainfo['palette']) != len(classes):
            raise DataError(
                f'{len(metainfo["palette"])} colours of the palette given for {len(classes)} classes; expected one '
                'RGB colour a class, or none at all'
            )
        self.ignored_ids = _ids(ignore_index)
        self.part, self.val_share, self.seed, self.check = part, val_share, seed, check
        super().__init__(
            metainfo=metainfo,
            ignore_index=IGNORED,
            img_suffix=img_suffix,
            seg_map_suffix=seg_map_suffix,
            **options,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find images and masks, and check them."""
        folders = Folders(
            self.data_prefix.get('img_path') or '.',
            self.data_prefix.get('seg_map_path') or '.',
            self.img_suffix,
            self.seg_map_suffix,
        )
        if self.colour_map and not any(isinstance(step, LoadMask) for step in steps_of(self.pipeline)):
            raise DataError(
                "colour_map given, but the pipeline does not read colours; replace dict(type='LoadAnnotations') in it "
                "by dict(type='mobileone_mm.LoadMask')"
            )
        pairs, faults = find_pairs(folders, read_stems(self.ann_file) if self.ann_file else None)
        if len(pairs) > 1 or not faults:  # else the faults say why there is nothing to part
            pairs = part_of(pairs, self.part, self.val_share, self.seed)
            faults = faults_of(faults, pairs, self.part)
        if self.check or faults:
            found = scan(pairs if self.check else (), self.rules, say_on_screen, faults)
            total = len(pairs) + sum(not fault.stem for fault in faults)
            require_none(found.faults, found.cures, folders.masks, total, get_rank())
            self._report(found, folders.masks)
        label_map = self._label_map()
        return [
            {
                'img_path': pair.image,
                'seg_map_path': pair.mask,
                'label_map': label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
                'colour_map': self.colour_map,
                'classes': len(self._metainfo['classes']),
            }
            for pair in pairs
        ]

    @property
    def rules(self) -> Rules:
        """How the masks are read."""
        labels = labels_of_ids(self.reduce_zero_label, self._label_map())
        return Rules(tuple(self._metainfo['classes']), labels, self.colour_map)

    def _label_map(self) -> dict[int, int] | None:
        """Ignored ids to 255, as mmseg's loader applies it: after `reduce_zero_label` took one off."""
        less = 1 if self.reduce_zero_label else 0
        return {value - less: IGNORED for value in self.ignored_ids if value - less >= 0} or None

    def _report(self, found: Scan, where: str) -> None:
        lacking = [name for name, count in zip(self._metainfo['classes'], found.pixels, strict=True) if not count]
        total = sum(found.pixels) + found.ignored
        share = f', {found.ignored / total:.1%} of their pixels without a class' if found.ignored else ''
        self._say(f'{where}: {len(found.sizes)} images with sound masks{share}')
        if found.jpeg:
            masks = '1 of the masks is' if found.jpeg == 1 else f'{found.jpeg} of the masks are'
            text = f'{where}: {masks} compressed by JPEG, which changes ids where two meet; save masks as PNG'
            print_log(text, 'current', logging.WARNING)
        if lacking and not self.test_mode:
            print_log(f'{where}: no pixel of {shown(lacking)}, so nothing is learned of it', 'current', logging.WARNING)

    def _say(self, text: str) -> None:
        print_log(text, 'current')


def _ids(given: Any) -> tuple[int, ...]:
    """The ids that are ignored, but for 255.

    Raises:
        DataError: they are no ids.
    """
    ids = (given,) if isinstance(given, int) else given
    if not isinstance(ids, list | tuple) or not all(type(value) is int and 0 <= value <= IGNORED for value in ids):
        raise DataError(f'ignore_index={given!r} given, expected an id from 0 to {IGNORED}, or several: (0, 11)')
    return tuple(int(value) for value in np.unique(ids) if value != IGNORED)
