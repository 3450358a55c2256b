"""Sets of pictures in a folder for each class, labelled by the folders' names."""

import os
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from mobileone_mm.datasets.checks import class_names, nearest
from mobileone_mm.errors import DataError, shown
from mobileone_mm.pictures.reading import PICTURE_ENDINGS
from mobileone_mm.registry import DATASETS


@DATASETS.register_module()
class ClassFolderDataset(BaseDataset):  # type: ignore[misc]  # mmengine is untyped
    """Pictures below `data_prefix['img_path']`, in a folder for each class and in whatever folders there are in it.

    A label is the place of the folder's name among the classes. mmpretrain's CustomDataset goes by the order of the
    folders and compares only how many there are, so that classes in another order give wrong names. Hidden folders and
    files are passed over.

    Raises:
        DataError: a class has no folder or no picture in it, a folder is no class, or there is no such folder.
    """

    def load_data_list(self) -> list[dict[str, Any]]:
        classes, root = class_names(self._metainfo.get('classes')), Path(self.data_prefix['img_path'])
        if not root.is_dir():
            raise DataError(f'{root}: no such folder; set data_root to the folder that it lies in')
        folders = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith('.'))
        strangers = [name for name in folders if name not in classes]
        if strangers:
            raise DataError(
                f'{root}: folders that are no class: {shown(map(repr, strangers))}; expected only '
                f'{shown(classes)}{nearest(strangers, classes)}; name each folder in `classes`'
            )
        pictures = {name: pictures_below(root / name) for name in classes}
        empty = [name for name, found in pictures.items() if not found]
        if empty:
            raise DataError(
                f'{root}: no pictures of {shown(map(repr, empty))}; expected a folder of that name, with files that '
                f'end in {", ".join(PICTURE_ENDINGS)}'
            )
        return [{'img_path': path, 'gt_label': label} for label, name in enumerate(classes) for path in pictures[name]]


def pictures_below(folder: Path) -> list[str]:
    """The pictures in a folder and below it, in an order that is always the same."""
    found = []
    for path, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith('.'))
        known = (name for name in files if not name.startswith('.') and name.lower().endswith(PICTURE_ENDINGS))
        found += [os.path.join(path, name) for name in sorted(known)]
    return found
