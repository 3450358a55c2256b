"""Which picture is of which class, and what of a folder is not where it belongs."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from small_classes import write

from mobileone_mm.datasets.class_files import counted_endings, find_pictures
from mobileone_mm.errors import DataError

CLASSES = ('cat', 'dog')
SOUND = ('cat/1.jpg', 'dog/1.jpg')


def faults(root: Path, classes: Sequence[str] = CLASSES) -> list[tuple[str, str]]:
    found = find_pictures(str(root), classes).faults
    return [(os.path.relpath(fault.place, root), fault.text) for fault in found]


def test_pictures_lie_in_the_folder_of_their_class_and_below_it(tmp_path: Path) -> None:
    write(tmp_path, 'dog/1.jpg', 'cat/1.JPEG', 'cat/b/2.png', 'cat/notes.txt', 'cat/b/x.HEIC', 'list.csv', 'README')
    write(tmp_path, '.cache/a.jpg', 'cat/._1.jpg', 'cat/.thumbs/1.jpg', '.b.jpg')
    found = find_pictures(str(tmp_path), CLASSES)
    assert found.pictures == {
        'cat': (f'{tmp_path}/cat/1.JPEG', f'{tmp_path}/cat/b/2.png'),
        'dog': (f'{tmp_path}/dog/1.jpg',),
    }
    assert found.faults == ()
    assert found.others == {'.txt': 1, '.heic': 1, '.csv': 1, 'without an ending': 1}


@pytest.mark.parametrize(
    ('files', 'classes', 'expected'),
    [
        (SOUND, CLASSES, []),
        (
            [*SOUND, 'b.jpg', 'a.png'],
            CLASSES,
            [('.', '2 pictures lie beside the folders of the classes: a.png, b.jpg')],
        ),
        (
            [*SOUND, 'dogs/1.jpg'],
            CLASSES,
            [('dogs', "a folder that is no class; expected only cat, dog (did you mean 'dog' for 'dogs'?)")],
        ),
        (['Cat/1.jpg', 'dog/1.jpg'], CLASSES, [('Cat', "differs from the class 'cat' by case only")]),
        ([*SOUND, 'Cat/1.jpg'], (*CLASSES, 'Cat'), [('Cat', "differs from the class 'cat' by case only")]),
        (
            ['train/cat/1.jpg', 'train/dog/1.jpg'],
            CLASSES,
            [('train', 'no class, but holds folders of classes: cat, dog')],
        ),
        (
            ['train/cat/1.jpg', 'val/cat/1.jpg'],
            ('train', 'val'),
            [
                ('train', 'named as a part of the data, and taken for a class; it holds the folders cat'),
                ('val', 'named as a part of the data, and taken for a class; it holds the folders cat'),
            ],
        ),
        (
            ['a\tb/1.jpg', 'cat/1.jpg', 'new\nline/1.jpg', 'red\x1b[31m/1.jpg', 'naïve Katze/1.jpg'],
            ('a\tb', 'cat', 'naïve Katze', 'new\nline', 'red\x1b[31m'),
            [(name, 'control characters in the name') for name in ('a\tb', 'new\nline', 'red\x1b[31m')],
        ),
        (['test/1.jpg', 'cat/1.jpg'], ('cat', 'test'), []),  # a class of that name
        (['cat/1.jpg'], CLASSES, [('dog', "no folder of the class 'dog'")]),
        (
            ['cat/1.jpg', 'dog/1.heic', 'dog/2.heic'],
            CLASSES,
            [('dog', "no picture of the class 'dog', but files that are none: .heic (2)")],
        ),
        (
            [*SOUND, 'cat/dog/2.jpg'],
            CLASSES,
            [('cat/dog', "named as the class 'dog', but its pictures count as 'cat'")],
        ),
        ([*SOUND, 'cat/cat/2.jpg'], CLASSES, []),  # of the same class all the same
    ],
)
def test_what_is_not_where_it_belongs(
    files: Sequence[str], classes: Sequence[str], expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    assert faults(write(tmp_path, *files), classes) == expected


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='nowhere: no such folder; set data_root'):
        find_pictures(str(tmp_path / 'nowhere'), CLASSES)


def test_endings_are_counted_the_most_frequent_first() -> None:
    assert counted_endings({'.csv': 1, '.txt': 3, '.avi': 1}) == '.txt (3), .avi (1), .csv (1)'
