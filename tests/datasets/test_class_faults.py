"""Pictures that cannot be read, and copies of which two parts or classes have one each."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from small_classes import picture, write

from mobileone_mm.datasets import class_faults
from mobileone_mm.datasets.class_faults import CURES, copies_among, imbalance, in_both, in_two_classes, passed_over
from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.picture_facts import look_at


def paths(root: Path, *names: str) -> list[str]:
    return [str(root / name) for name in names]


def test_copies_are_files_of_the_same_bytes_and_no_others(tmp_path: Path) -> None:
    write(tmp_path, 'a.png', 'none.txt', 'nothing.txt')
    pixels = picture(1)
    pixels.save(tmp_path / 'b.bmp')
    other = pixels.copy()
    other.putpixel((0, 0), (1, 2, 3))
    other.save(tmp_path / 'c.bmp')  # as large, and another picture
    for name in ('d.png', 'e.jpg'):
        shutil.copy(tmp_path / 'a.png', tmp_path / name)
    names = ('c.bmp', 'a.png', 'b.bmp', 'd.png', 'e.jpg', 'none.txt', 'nothing.txt', 'gone.png')
    assert copies_among(paths(tmp_path, *names)) == [paths(tmp_path, 'a.png', 'd.png', 'e.jpg')]
    assert copies_among(paths(tmp_path, 'a.png', 'a.png')) == []  # a file is no copy of itself


def test_one_picture_in_two_classes(tmp_path: Path) -> None:
    write(tmp_path, 'cat/a.png', 'cat/b.png', 'dog/c.png')
    for name in ('cat/again.png', 'dog/a.png'):
        shutil.copy(tmp_path / 'cat/a.png', tmp_path / name)
    pictures = {'cat': paths(tmp_path, 'cat/a.png', 'cat/again.png', 'cat/b.png')}
    pictures['dog'] = paths(tmp_path, 'dog/a.png', 'dog/c.png')
    (fault,) = in_two_classes(pictures)
    assert fault == Fault(
        f'{tmp_path}/dog/a.png',
        f"the same picture as {tmp_path}/cat/a.png, of the class 'cat'",
        'one picture, two classes',
    )


def test_one_picture_in_training_and_validation(tmp_path: Path) -> None:
    write(tmp_path, 'train/a.png', 'val/b.png')
    shutil.copy(tmp_path / 'train/a.png', tmp_path / 'val/z.png')
    here, there = paths(tmp_path, 'val/b.png', 'val/z.png'), paths(tmp_path, 'train/a.png')
    (fault,) = in_both(here, there)
    assert (fault.place, fault.kind) == (f'{tmp_path}/val/z.png', 'in training too')
    assert fault.text == f'the same picture as {tmp_path}/train/a.png, which is trained on'
    assert list(in_both([*here, str(shutil.copy(here[0], tmp_path / 'val/c.png'))], [])) == []


def test_pictures_that_cannot_be_read_to_their_end(tmp_path: Path) -> None:
    write(tmp_path, 'sound.jpg', 'cut.jpg')
    cut = tmp_path / 'cut.jpg'
    cut.write_bytes(cut.read_bytes()[:-100])
    (tmp_path / 'empty.jpg').touch()
    (tmp_path / 'text.jpg').write_text('no picture')
    files = paths(tmp_path, 'cut.jpg', 'empty.jpg', 'sound.jpg', 'text.jpg')
    found = {Path(fault.place).name: fault.text for fault in class_faults.unreadable(files, look_at(files, (), print))}
    assert found.pop('cut.jpg').startswith('cannot be read: image file is truncated')
    assert found == {
        'empty.jpg': 'cannot be read: the file is empty',
        'text.jpg': 'cannot be read: no picture that Pillow knows',
    }


def test_what_is_known_of_pictures_is_kept_apart_from_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    write(tmp_path, 'a.png')
    said: list[str] = []
    first = look_at(paths(tmp_path, 'a.png'), (), said.append)
    assert look_at(paths(tmp_path, 'a.png'), (), said.append) == first
    (line,) = said
    assert line.startswith(
        f'checking 1 image for faults; the results are cached in {tmp_path}/cache/mobileone_mm/pictures/'
    )
    Image.new('RGB', (7, 5)).save(tmp_path / 'a.png')
    facts = look_at(paths(tmp_path, 'a.png'), (), said.append)[str(tmp_path / 'a.png')]
    assert (facts.width, facts.height) == (7, 5)


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        ({}, ''),
        ({'a': 9, 'b': 1}, ''),
        ({'a': 30, 'b': 3, 'c': 7}, "10 times as many pictures of 'a' (30) as of 'b' (3), which is then"),
        ({'a': 30, 'b': 0}, ''),  # a class without pictures is another matter
    ],
)
def test_strong_imbalance_is_told(counts: dict[str, int], expected: str) -> None:
    said = imbalance(counts)
    assert said.startswith(expected)
    assert bool(said) == bool(expected)


def test_files_that_are_no_pictures_are_counted() -> None:
    assert passed_over({}) == ''
    assert passed_over({'.txt': 1}) == '1 file that is not a picture is skipped: .txt (1)'
    said = passed_over({'.txt': 1, '.heic': 4})
    assert said == (
        '5 files that are not pictures are skipped: .heic (4), .txt (1); to train on those of .heic, save them as '
        'JPEG or PNG'
    )


def test_a_cure_stands_once_for_each_kind() -> None:
    faults = [Fault('a', '', 'single picture'), Fault('b', '', 'picture unreadable'), Fault('c', '', 'single picture')]
    assert class_faults.cures_of(faults) == (CURES['single picture'], CURES['picture unreadable'])
