"""Which picture is of which class, by the folders they lie in; and folders and files that are not where they belong."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mobileone_mm.datasets.checks import nearest
from mobileone_mm.datasets.faults import Fault
from mobileone_mm.errors import DataError, is_plain, shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS

# Names of folders that part a set, and are as a rule no classes.
PART_NAMES = ('train', 'training', 'val', 'valid', 'validation', 'test', 'testing')


@dataclass(frozen=True)
class Found:
    """What a folder of class folders holds.

    Attributes:
        pictures: paths of each class, in an order that is always the same.
        faults: what is not where it belongs.
        others: files that are no pictures, by ending.
    """

    pictures: Mapping[str, tuple[str, ...]]
    faults: tuple[Fault, ...]
    others: Mapping[str, int]


def find_pictures(root: str, classes: Sequence[str]) -> Found:
    """The pictures of each class in `root`; what is hidden is passed over.

    Raises:
        DataError: there is no such folder.
    """
    if not os.path.isdir(root):
        raise DataError(f'{root}: no such folder; set data_root to the folder that it lies in')
    folders, files = _entries(root)
    others = Counter(_ending(name) for name in files if not _is_picture(name))
    pictures = {}
    for name in classes:
        inside, strange = pictures_in(os.path.join(root, name))
        pictures[name] = tuple(inside)
        others += strange
    faults = [
        *_loose_pictures(root, [name for name in files if _is_picture(name)]),
        *_strange_folders(root, [name for name in folders if name not in classes], classes),
        *_unprintable(root, classes),
        *_alike(root, classes),
        *_empty_classes(root, folders, pictures),
        *_misplaced_folders(root, [name for name in folders if name in classes], classes),
    ]
    return Found(pictures, tuple(faults), others)


def pictures_in(folder: str) -> tuple[list[str], Counter[str]]:
    """The paths of the pictures in a folder and below it, and the endings of its other files, counted."""
    found, others = [], Counter[str]()
    for path, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith('.'))
        shown_files = sorted(name for name in files if not name.startswith('.'))
        found += [os.path.join(path, name) for name in shown_files if _is_picture(name)]
        others.update(_ending(name) for name in shown_files if not _is_picture(name))
    return found, others


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """The names of a folder's folders and of its files, sorted, hidden ones left out."""
    entries = sorted((entry for entry in os.scandir(folder) if not entry.name.startswith('.')), key=lambda e: e.name)
    return [entry.name for entry in entries if entry.is_dir()], [entry.name for entry in entries if entry.is_file()]


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURE_ENDINGS)


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower() or 'without an ending'


def _loose_pictures(root: str, names: Sequence[str]) -> Iterator[Fault]:
    if names:
        many = '1 picture lies' if len(names) == 1 else f'{len(names)} pictures lie'
        yield Fault(root, f'{many} beside the folders of the classes: {shown(names)}', 'picture without a class')


def _strange_folders(root: str, names: Sequence[str], classes: Sequence[str]) -> Iterator[Fault]:
    by_case = {name.casefold(): name for name in classes}
    for name in names:
        place = os.path.join(root, name)
        deeper = [below for below in _entries(place)[0] if below in classes]
        if name.casefold() in by_case:
            yield _differs_by_case(place, by_case[name.casefold()])
        elif deeper:
            yield Fault(place, f'no class, but holds folders of classes: {shown(deeper)}', 'classes one level deeper')
        else:
            expected = f'expected only {shown(classes)}{nearest([name], classes)}'
            yield Fault(place, f'a folder that is no class; {expected}', 'folder that is no class')


def _unprintable(root: str, classes: Sequence[str]) -> Iterator[Fault]:
    """Classes whose names no screen and no exported model can show."""
    for name in classes:
        if not is_plain(name):
            yield Fault(os.path.join(root, name), 'control characters in the name', 'name with control characters')


def _alike(root: str, classes: Sequence[str]) -> Iterator[Fault]:
    """Classes whose names are the same but for their case."""
    first: dict[str, str] = {}
    for name in classes:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            yield _differs_by_case(os.path.join(root, name), other)


def _differs_by_case(place: str, name: str) -> Fault:
    return Fault(place, f'differs from the class {name!r} by case only', 'names that differ by case')


def _empty_classes(root: str, folders: Collection[str], pictures: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Classes without a picture, but for those of which another fault says where it lies."""
    alike = {name.casefold() for name in folders}
    deeper = {below for name in folders if name not in pictures for below in _entries(os.path.join(root, name))[0]}
    for name in (name for name, found in pictures.items() if not found):
        place = os.path.join(root, name)
        if name in folders:
            others = pictures_in(place)[1]
            counted = f', but files that are none: {counted_endings(others)}' if others else ''
            yield Fault(place, f'no picture of the class {name!r}{counted}', 'class without pictures')
        elif name not in deeper and name.casefold() not in alike:
            yield Fault(place, f'no folder of the class {name!r}', 'class without pictures')


def _misplaced_folders(root: str, names: Sequence[str], classes: Sequence[str]) -> Iterator[Fault]:
    """Folders of classes that hold others, and parts of a set that are taken for classes."""
    for name in names:
        place = os.path.join(root, name)
        below, files = _entries(place)
        if name.lower() in PART_NAMES and below and not any(map(_is_picture, files)):
            text = f'named as a part of the data, and taken for a class; it holds the folders {shown(below)}'
            yield Fault(place, text, 'part taken for a class')
            continue
        for inner in below:
            if inner != name and inner in classes and pictures_in(os.path.join(place, inner))[0]:
                text = f'named as the class {inner!r}, but its pictures count as {name!r}'
                yield Fault(os.path.join(place, inner), text, 'class within a class')


def counted_endings(others: Mapping[str, int]) -> str:
    """Endings with how often each is there, the most frequent first: '.txt (3), .csv (1)'."""
    ordered = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    return shown(f'{ending} ({count})' for ending, count in ordered)
