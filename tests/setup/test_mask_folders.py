"""What the masks of a folder mean."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from own_folders import write_masks
from PIL import Image

from mobileone_mm.errors import DataError
from mobileone_mm.setup.mask_folders import Meaning, mask_folders, meaning_of


def meaning(root: Path, classes: Sequence[str] = ()) -> Meaning:
    (folders,) = mask_folders(root)
    return meaning_of(root, folders, lambda text: None, classes)


def masks(root: Path, *ids: int, mode: str = 'L') -> Path:
    return write_masks(root / 'set', 'images', 'masks', ids=ids, mode=mode)


@pytest.mark.parametrize(
    ('ids', 'names', 'classes', 'ignored'),
    [
        ((0, 1, 2), None, ('background', 'class_1', 'class_2'), ()),
        ((0, 2, 255), None, ('background', 'class_1', 'class_2'), ()),  # an id that these masks lack keeps its place
        ((0, 1, 2), 'sky\nroad\ncar\n', ('sky', 'road', 'car'), ()),
        ((0, 1), '0: sky\n1: road\n', ('sky', 'road'), ()),
        ((0, 1), '3 wheeler\nroad\n', ('3 wheeler', 'road'), ()),  # a number that belongs to a name
        ((0, 1, 2), 'sky\nroad\n', ('sky', 'road'), (2,)),  # no name is left for it
        ((0, 1, 2), 'sky\nroad\nunlabelled(2=ignore)\n', ('sky', 'road'), (2,)),
        ((0, 1, 2), 'void\nsky\nroad\n', ('void', 'sky', 'road'), ()),  # another place than the last would move ids
    ],
)
def test_ids(ids: tuple[int, ...], names: str | None, classes: tuple[str, ...], ignored: tuple[int], tmp_path: Path):
    root = masks(tmp_path, *ids)
    if names:
        (root / 'classes.txt').write_text(names)
    found = meaning(root)
    assert (found.classes, found.ignored, found.colours) == (classes, ignored, None)
    assert found.named == ('classes.txt' if names else '')
    assert sum(found.shares) == pytest.approx(1)


def test_names_that_are_given_win(tmp_path: Path) -> None:
    root = masks(tmp_path, 0, 1)
    (root / 'classes.txt').write_text('sky\nroad\n')
    assert meaning(root, ('ground', 'thing')).classes == ('ground', 'thing')


def test_black_and_white(tmp_path: Path) -> None:
    found = meaning(masks(tmp_path, 0, 255))
    assert (found.classes, found.colours) == (('background', 'thing'), ((0, 0, 0), (255, 255, 255)))
    assert found.shares == (0.5, 0.5)


def test_colours_the_most_frequent_first(tmp_path: Path) -> None:
    root = masks(tmp_path, 0)
    for path in (root / 'masks').iterdir():
        pixels = np.zeros((64, 96, 3), np.uint8)
        pixels[:, :60] = (128, 0, 0)
        pixels[:, 90:] = (0, 0, 255)
        Image.fromarray(pixels).save(path)
    found = meaning(root)
    assert found.colours == ((128, 0, 0), (0, 0, 0), (0, 0, 255))
    assert found.classes == ('class_0', 'class_1', 'class_2')
    assert found.shares == pytest.approx((60 / 96, 30 / 96, 6 / 96))
    assert meaning(root, ('cell', 'ground')).classes == ('cell', 'ground')  # the third colour is ignored
    with pytest.raises(DataError, match=r'hold 3 colours .* and there are 4 names; which colour is of which class'):
        meaning(root, ('a', 'b', 'c', 'd'))


def test_more_ids_than_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'its masks hold the ids 2, 3, and there are 2 names; .* give `classes` in'):
        meaning(masks(tmp_path, 0, 1, 2, 3), ('a', 'b'))


def test_photographs_are_no_masks(tmp_path: Path) -> None:
    write_masks(tmp_path, 'left', 'unused')
    write_masks(tmp_path, 'right', 'unused')
    for path in (tmp_path / 'unused').iterdir():
        path.unlink()
    assert mask_folders(tmp_path) == []
