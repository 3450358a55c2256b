"""Sets of pictures in a folder for each class, labelled by the folders' names, checked while they are read."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.dist import get_rank
from mmengine.logging import print_log

from mobileone_mm.datasets import class_faults
from mobileone_mm.datasets.checks import class_names
from mobileone_mm.datasets.class_faults import Part
from mobileone_mm.datasets.class_files import Found, find_pictures, pictures_in
from mobileone_mm.datasets.faults import Fault, require_none
from mobileone_mm.datasets.parts import held_out, require_part
from mobileone_mm.errors import DataError
from mobileone_mm.openmmlab.log import say_on_screen
from mobileone_mm.registry import DATASETS

Pictures = Mapping[str, Sequence[str]]  # paths of each class


@DATASETS.register_module()
class ClassFolderDataset(BaseDataset):  # type: ignore[misc]  # mmengine is untyped
    """Pictures below `data_prefix['img_path']`, in a folder for each class and in whatever folders there are in it.

    A label is the place of the folder's name among the classes. mmpretrain's CustomDataset goes by the order of the
    folders and compares only how many there are, so that classes in another order give wrong names. Hidden folders and
    files are passed over.

    Args:
        part: 'train' or 'val' of a set that has no validation pictures of its own: `val_share` of each class is held
            out, by the pictures' names and the seed; at least one is. 'all' for a set that is not split.
        val_share: see `part`.
        seed: see `part`.
        apart_from: of a set to validate on, the folder below `data_root` that is trained on: no picture in it may be
            here too. A folder that is not there is passed over.
        check: look for faults in all files before the first step; what is known of unchanged files is kept. Without
            it, only what names and places say is looked at.
        options: everything else that mmengine's BaseDataset takes; with `test_mode`, a class may have a single picture.

    Attributes:
        notes: what a training survives and its user should know.

    Raises:
        DataError: a folder is no class or a class has no pictures, a picture cannot be read, lies beside the folders,
            in two classes, or is trained on too: all of them at once; or an option does not fit.
    """

    def __init__(
        self,
        *,
        part: str = 'all',
        val_share: float = 0.2,
        seed: int = 0,
        apart_from: str | None = None,
        check: bool = True,
        **options: Any,
    ) -> None:
        require_part(part, val_share)
        self.part, self.val_share, self.seed, self.apart_from, self.check = part, val_share, seed, apart_from, check
        self.notes: tuple[str, ...] = ()
        super().__init__(**options)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find the pictures of each class, and check them."""
        classes, root = class_names(self._metainfo.get('classes')), os.path.normpath(self.data_prefix['img_path'])
        if len(classes) < 2:
            raise DataError(
                f'{len(classes)} class given, expected two or more: pictures of whatever is none of them make one too'
            )
        found = find_pictures(root, classes)
        held = {name: self._held_out(root, paths) for name, paths in found.pictures.items()}
        pictures = {name: self._own(paths, held[name]) for name, paths in found.pictures.items()}
        faults = self._faults(root, found, pictures, held)
        require_none(faults, class_faults.cures_of(faults), root, sum(map(len, pictures.values())), get_rank())
        self._note(root, found, pictures)
        return [{'img_path': path, 'gt_label': label} for label, name in enumerate(classes) for path in pictures[name]]

    def _held_out(self, root: str, paths: Sequence[str]) -> set[str]:
        """Those of a class's pictures that are for validation: by their names in its folder, wherever that lies."""
        if self.part == 'all':
            return set()
        names = {os.path.relpath(path, root).partition(os.sep)[2]: path for path in paths}
        return {names[name] for name in held_out(names, self.val_share, self.seed)}

    def _own(self, paths: Sequence[str], held: set[str]) -> list[str]:
        return [path for path in paths if (path in held) == (self.part == 'val')]

    def _faults(self, root: str, found: Found, pictures: Pictures, held: Mapping[str, set[str]]) -> list[Fault]:
        """Each part has the faults of its own pictures; what concerns the whole is not for 'val' to say."""
        whole = found.pictures if self.part != 'val' else {}
        faults: list[Fault] = []
        if self.part != 'val' or not any(pictures.values()):
            faults += found.faults
        if not (self.part == 'val' or self.test_mode):
            faults += class_faults.single_pictures(root, found.pictures)
        if self.check:
            part = Part(pictures, whole, self._trained_on(found, held))
            faults += class_faults.faults_of_files(part, say_on_screen)
        return faults

    def _trained_on(self, found: Found, held: Mapping[str, set[str]]) -> list[str]:
        """The pictures that a set to validate on may not hold."""
        if self.part == 'val':
            return [path for name, paths in found.pictures.items() for path in paths if path not in held[name]]
        return pictures_in(os.path.join(self.data_root or '', self.apart_from))[0] if self.apart_from else []

    def _note(self, root: str, found: Found, pictures: Pictures) -> None:
        """Say what was found, and keep what a user should know; who trains sees what may spoil the training."""
        print_log(f'{root}: {sum(map(len, pictures.values()))} images of {len(pictures)} classes', 'current')
        trains = self.part != 'val' and not self.test_mode
        passed = class_faults.passed_over(found.others) if self.part != 'val' else ''
        uneven = class_faults.imbalance({name: len(paths) for name, paths in pictures.items()}) if trains else ''
        lost = trains and any(ending in class_faults.UNREAD for ending in found.others)
        for note, weighs in ((passed, lost), (uneven, trains)):
            if note:
                self.notes += (note,)
                print_log(f'{root}: {note}', 'current', logging.WARNING if weighs else logging.INFO)
