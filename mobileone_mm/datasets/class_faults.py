"""What can be wrong with the pictures of classes: files that cannot be read, and copies where there may be none."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mobileone_mm.datasets.class_files import counted_endings
from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.picture_facts import Facts, look_at
from mobileone_mm.errors import shown
from mobileone_mm.outputs import file_sha256
from mobileone_mm.pictures.endings import PICTURE_ENDINGS

STRONG = 10  # times as many pictures of one class as of another: the rare one is then easily never predicted
UNREAD = ('.avif', '.gif', '.heic', '.heif', '.jfif', '.jp2')  # pictures, but none that training reads

CURES = {
    'picture without a class': 'pictures beside the folders: move each into the folder of its class, or out of the set',
    'folder that is no class': (
        'folders that are no class: name each in `classes`, which holds for training and validation, or move it out of '
        'the set'
    ),
    'name with control characters': (
        'names with control characters, such as tabs and line breaks: rename these folders, and change '
        '`classes` to match'
    ),
    'names that differ by case': 'names that differ by case: merge or rename them, as some file systems ignore case',
    'classes one level deeper': (
        'classes one level deeper: move their folders up, or name the folder that holds them (train_folder or '
        'val_folder in the config; img_path of data_prefix)'
    ),
    'class without pictures': (
        f'classes without pictures: add files that end in {", ".join(PICTURE_ENDINGS)}, or leave the name out of '
        '`classes` and move the folder, if there is one, out of the set'
    ),
    'part taken for a class': (
        'parts taken for classes: name the folder that holds the classes (train_folder or val_folder in the config; '
        'img_path of data_prefix), and the names of the folders in it in `classes`'
    ),
    'class within a class': 'classes within a class: move these folders up, beside the others',
    'single picture': (
        'single pictures: add more of these classes, or leave their names out of `classes` and move their folders out '
        'of the set'
    ),
    'picture unreadable': 'pictures that cannot be read: save them anew, or delete them',
    'one picture, two classes': 'one picture in two classes: keep it in the one it belongs to, delete the other',
    'in training too': 'pictures in training and validation, which make the score too high: delete one of the two',
}


@dataclass(frozen=True)
class Part:
    """Pictures that are trained or validated on, and those that they are compared with.

    Attributes:
        pictures: paths of each class.
        whole: those that may not be in two classes: of all of the set, or none where another part looks at it.
        apart_from: paths of the pictures that are trained on, where none of them may be here.
    """

    pictures: Mapping[str, Sequence[str]]
    whole: Mapping[str, Sequence[str]]
    apart_from: Sequence[str] = ()


def faults_of_files(part: Part, said: Callable[[str], None]) -> Iterator[Fault]:
    """Files that cannot be read, and copies where there may be none.

    Args:
        part: what is looked at.
        said: gets a line before a long work.
    """
    paths = [path for found in part.pictures.values() for path in found]
    yield from unreadable(paths, look_at(paths, (), said))
    yield from in_two_classes(part.whole)
    yield from in_both(paths, part.apart_from)


def unreadable(paths: Sequence[str], facts: Mapping[str, Facts]) -> Iterator[Fault]:
    """Pictures that cannot be decoded to their end."""
    for path in paths:
        if facts[path].fault:
            yield Fault(path, f'cannot be read: {facts[path].fault}', 'picture unreadable')


def in_two_classes(pictures: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Pictures that are byte for byte one of another class."""
    class_of = {path: name for name, found in pictures.items() for path in found}
    for first, *copies in copies_among(list(class_of)):
        for path in copies:
            if class_of[path] != class_of[first]:
                text = f'the same picture as {first}, of the class {class_of[first]!r}'
                yield Fault(path, text, 'one picture, two classes')


def in_both(paths: Sequence[str], trained_on: Sequence[str]) -> Iterator[Fault]:
    """Pictures that are byte for byte one that is trained on."""
    there = set(trained_on)
    source_of: dict[str, str] = {}
    for same in copies_among([*trained_on, *paths]) if there else ():
        source_of |= {path: same[0] for path in same if same[0] in there}
    for path in paths:
        if path in source_of:
            yield Fault(path, f'the same picture as {source_of[path]}, which is trained on', 'in training too')


def copies_among(paths: Sequence[str]) -> list[list[str]]:
    """Groups of files with the same content, two or more each; only files of one size are read.

    Files that are empty or cannot be read are in none.
    """
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        try:
            by_size[os.path.getsize(path)].append(path)
        except OSError:
            continue
    groups: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for size, alike in by_size.items():
        for path in alike if size and len(alike) > 1 else ():
            try:
                groups[size, file_sha256(path)].append(path)
            except OSError:
                continue
    return [group for group in groups.values() if len(group) > 1]


def single_pictures(root: str, pictures: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Classes of one picture, of which nothing can be learned, and nothing be held out."""
    for name, found in pictures.items():
        if len(found) == 1:
            yield Fault(os.path.join(root, name), f'a single picture of the class {name!r}', 'single picture')


def cures_of(faults: Sequence[Fault]) -> tuple[str, ...]:
    """What to do, a line for each kind of fault."""
    return tuple(CURES[kind] for kind in dict.fromkeys(fault.kind for fault in faults))


def imbalance(counts: Mapping[str, int]) -> str:
    """A warning where a class has many times as many pictures as another; else empty."""
    ordered = sorted((count, name) for name, count in counts.items() if count)
    if not ordered or ordered[-1][0] < STRONG * ordered[0][0]:
        return ''
    (least, rare), (most, frequent) = ordered[0], ordered[-1]
    return (
        f'{most // least} times as many pictures of {frequent!r} ({most}) as of {rare!r} ({least}), which is then '
        'easily never predicted; add pictures of the rare classes'
    )


def passed_over(others: Mapping[str, int]) -> str:
    """What is not read, in words; else empty."""
    if not others:
        return ''
    count = sum(others.values())
    text = f'{count} {"file that is not a picture is" if count == 1 else "files that are not pictures are"} skipped: '
    text += counted_endings(others)
    unread = [ending for ending in sorted(others) if ending in UNREAD]
    return text + (f'; to train on those of {shown(unread)}, save them as JPEG or PNG' if unread else '')
