"""Where a folder of a user's own data holds what a config names: annotation files, pictures, folders of classes."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobileone_mm.errors import shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS

# The templates that layouts are for, by name.
COCO, VOC = 'ssd_mobileone_s0_own_coco', 'ssd_mobileone_s0_own_voc'
MASKS, CLASSES = 'deeplabv3_light_mobileone_s0_own_masks', 'mobileone_s0_own_classes'
SPLITS = ('train', 'val')  # a word of a path that begins so names one: train2017, validation
DEEPEST = 3  # folders below the root that are looked into
MOST_FILES = 20  # that are opened for a split: some tools write a .json for each picture
MOST_FOLDERS = 1000  # a set has a handful; a home folder has more
XML, PICTURES = 'Annotations', 'JPEGImages'  # VOC's
LISTS = ('ImageSets/Main', 'ImageSets', '')  # where VOC's lists may lie


@dataclass(frozen=True)
class Layout:
    """What was found in a folder.

    Attributes:
        lines: values of a template's variables, by name.
        classes: the categories of the training file, in its order, or its folders; empty where there are none.
        missing: what was looked for and not found, in words.
        notes: what was taken for granted, in words.
    """

    lines: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def coco_layout(root: Path) -> Layout:
    """The annotation files of COCO format in a folder, and the folders of their pictures."""
    folders = sorted(_folders(root), key=lambda folder: len(folder.parts))  # of two that fit, the upper one
    files = [file for folder in folders for file in sorted((root / folder).glob('*.json'))]
    lines: dict[str, Any] = {}
    classes: tuple[str, ...] = ()
    missing: list[str] = []
    parted = any(_naming(root, files, part) for part in (*SPLITS, 'test'))
    for split, word in (('train', 'training'), ('val', 'validation')):
        file, content = _coco_file(root, files, split)
        if file is None and split == 'train' and not parted:
            file, content = _only_file(files)
        if split == 'val' and 'train_file' in lines and not _naming(root, files, split):
            lines |= {'val_file': None, 'val_images': None}
            continue
        if file is None:
            missing.append(f'an annotation file for {word} (a .json of COCO format with {split!r} in its path)')
            continue
        lines[f'{split}_file'] = file.relative_to(root).as_posix()
        names = [image['file_name'] for image in content['images'] if isinstance(image.get('file_name'), str)]
        where = _pictures(root, [file.parent.relative_to(root), *folders], names, split)
        if where is None:
            missing.append(f'the pictures that {lines[f"{split}_file"]} names')
        else:
            lines[f'{split}_images'] = '' if where == Path() else f'{where.as_posix()}/'
        if split == 'train':
            classes = _classes(content)
    return Layout(lines, classes, tuple(missing), _held_out(root, lines, 'val_file', 'annotation file'))


def voc_layout(root: Path) -> Layout:
    """The two lists of VOC's layout in a folder; its XML files and pictures have their places."""
    missing = [f'{name}/' for name in (XML, PICTURES) if not (root / name).is_dir()]
    lines: dict[str, Any] = {}
    for split, word in (('train', 'training'), ('val', 'validation')):
        named = [Path(place) / f'{split}.txt' for place in LISTS]
        found = next((name for name in named if (root / name).is_file()), None)
        if found is not None:
            lines[f'{split}_list'] = found.as_posix()
        elif split == 'val' and 'train_list' in lines:
            lines['val_list'] = None
        else:
            missing.append(f'a list of the {word} pictures ({named[0].as_posix()})')
    return Layout(lines, (), tuple(missing), _held_out(root, lines, 'val_list', 'list'))


def _held_out(root: Path, lines: Mapping[str, Any], key: str, what: str) -> tuple[str, ...]:
    """What is to be said of a set of boxes without validation pictures; nothing of another."""
    if lines.get(key, '') is not None:
        return ()
    return (
        f'no {what} for validation in {root}: a fifth of the pictures is held out, chosen by their names and always '
        'the same, so that training keeps one of each class; no file is copied or moved',
    )


def class_layout(root: Path) -> Layout:
    """The folders that hold a folder for each class, one for each part or one for both, and the classes."""
    train, val = (_part_with_classes(root, split) for split in SPLITS)
    if train is None and val is None and not _is_part_of_a_set(shown_folders(root)):
        train = _class_root(root, Path())
    elif train is not None:
        train = _class_root(root, train) or train
    if train is None:
        only_val = {} if val is None else {'val_folder': val.as_posix()}
        return Layout(only_val, (), (f'class folders to train on: {_too_few(root)}',))
    lines = {'train_folder': '' if train == Path() else train.as_posix(), 'val_folder': val and val.as_posix()}
    classes = tuple(shown_folders(root / train))
    if val is not None:
        return Layout(lines, classes)
    return Layout(
        lines,
        classes,
        notes=(
            f'no folder val/ with a folder for each class in {root}: a fifth of the pictures of each class is held out '
            'for validation, chosen by their names and always the same; no file is copied or moved',
        ),
    )


LAYOUTS: Mapping[str, Callable[[Path], Layout]] = {
    CLASSES: class_layout,
    COCO: coco_layout,
    VOC: voc_layout,
}


def is_class_folders(root: Path) -> bool:
    """Whether a folder looks like one of class folders, split or not, which hold pictures."""
    train = class_layout(root).lines.get('train_folder')
    return train is not None and _class_root(root, Path(train)) == Path(train)


def is_voc(root: Path) -> bool:
    """Whether a folder looks like VOC's."""
    return (root / XML).is_dir() and any((root / XML).glob('*.xml'))


def shown_folders(root: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith('.'))


def _part_with_classes(root: Path, split: str) -> Path | None:
    """The folder of a part of a set that holds folders."""
    named = sorted((name for name in shown_folders(root) if names_split(Path(name), split)), key=lambda n: (len(n), n))
    return next((Path(name) for name in named if shown_folders(root / name)), None)


def _class_root(root: Path, folder: Path) -> Path | None:
    """The folder that holds folders of pictures, two at least: this one, or the only one in it, and so on."""
    for _ in range(DEEPEST):
        below = shown_folders(root / folder)
        if sum(_holds_pictures(root / folder / name) for name in below) > 1:
            return folder
        if len(below) != 1:
            return None
        folder /= below[0]
    return None


def _too_few(root: Path) -> str:
    """What is expected of class folders, and what is there instead."""
    names = [name for name in shown_folders(root) if _holds_pictures(root / name)]
    found = f'only {shown(names)}' if names else 'none'
    return f'expected two or more folders with pictures, one for each class, or train/ with such folders; found {found}'


def _holds_pictures(folder: Path) -> bool:
    """Whether there is a picture in a folder, or somewhere below it."""
    for _, below, files in os.walk(folder):
        below[:] = [name for name in below if not name.startswith('.')]
        if any(name.lower().endswith(PICTURE_ENDINGS) and not name.startswith('.') for name in files):
            return True
    return False


def _is_part_of_a_set(names: Sequence[str]) -> bool:
    """Whether folders are named as the parts of a set, all of them, and not as classes."""
    return bool(names) and all(any(names_split(Path(name), part) for part in (*SPLITS, 'test')) for name in names)


def _folders(root: Path) -> Iterator[Path]:
    """The root and the folders below it, as they are named from it, without hidden ones."""
    count = 0
    for path, below, _ in os.walk(root, followlinks=True):  # no deeper than `DEEPEST`, so no link leads round and round
        here = Path(path).relative_to(root)
        below[:] = sorted(name for name in below if not name.startswith('.')) if len(here.parts) < DEEPEST else []
        yield here
        count += 1
        if count == MOST_FOLDERS:
            return


def _naming(root: Path, files: Sequence[Path], split: str) -> list[Path]:
    """The files that name a split."""
    return [file for file in files if names_split(file.relative_to(root), split)]


def _coco_file(root: Path, files: Sequence[Path], split: str) -> tuple[Path | None, Any]:
    """The first file that names a split, and what it holds: its own name counts more than that of its folder."""
    named = _naming(root, files, split)
    # COCO's own set has keypoints of the same pictures, in files of their own.
    first = sorted(
        named, key=lambda file: (not names_split(Path(file.name), split), not file.name.startswith('instances'))
    )
    held = (_boxes_in(file) for file in first[:MOST_FILES])
    return next((found for found in held if found[0] is not None), (None, None))


def _only_file(files: Sequence[Path]) -> tuple[Path | None, Any]:
    """The one of the files that is of COCO's form, and what it holds; nothing tells which of several to take."""
    found = [held for held in map(_boxes_in, files[: MOST_FILES + 1]) if held[0] is not None]
    return found[0] if len(found) == 1 and len(files) <= MOST_FILES else (None, None)


def _boxes_in(file: Path) -> tuple[Path | None, Any]:
    """A file of COCO's form, and what it holds."""
    if not file.is_file():  # a pipe would keep whoever opens it waiting
        return None, None
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None, None
    return (file, content) if _has_boxes(content) else (None, None)


def _has_boxes(content: Any) -> bool:
    if not isinstance(content, dict) or not all(
        _rows(content.get(key)) for key in ('images', 'annotations', 'categories')
    ):
        return False
    return any('bbox' in annotation for annotation in content['annotations'])


def _rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _pictures(root: Path, folders: Sequence[Path], names: Sequence[str], split: str) -> Path | None:
    """The folder that pictures lie in: one of the same split where several hold files of these names."""
    other = next(name for name in SPLITS if name != split)
    samples = names[:: max(1, len(names) // 20)]
    fitting = [folder for folder in folders if samples and all((root / folder / name).is_file() for name in samples)]
    return min(fitting, key=lambda folder: (names_split(folder, other), not names_split(folder, split)), default=None)


def names_split(path: Path, split: str) -> bool:
    """Whether a word of a path begins as a split is called: 'train', 'val'."""
    return any(word.startswith(split) for word in re.findall('[a-z]+', path.as_posix().lower()))


def _classes(content: Mapping[str, Any]) -> tuple[str, ...]:
    names = [category.get('name') for category in content['categories']]
    given = tuple(name for name in names if isinstance(name, str) and name)
    return given if len(set(given)) == len(names) else ()
