"""What a classifier's data hold: pictures of each class, whatever set they are in."""

from pathlib import Path
from typing import Any

from listed_sets import CLASSES, Listed, Repeated
from PIL import Image

from mobileone_mm.inspection.by_task import content_of
from mobileone_mm.inspection.content import IMAGES, Spread


def sorted_pictures(folder: Path, *labels: Any) -> Listed:
    """A picture a label, or labels; no two are the same."""
    entries = []
    for index, label in enumerate(labels):
        Image.new('RGB', (30 + index, 20), (index, 0, 0)).save(folder / f'{index}.png')
        entries.append({'img_path': str(folder / f'{index}.png'), 'gt_label': label})
    return Listed(entries)


def test_pictures_are_counted_by_class(tmp_path: Path) -> None:
    content = content_of(Repeated(sorted_pictures(tmp_path, 0, 0, 2)), 'classification')
    assert (content.unit, content.images, content.classes) == (IMAGES, 3, CLASSES)
    assert content.counts == content.images_with == (2, 0, 1)
    assert content.image_size == (Spread(30, 31, 32), Spread(20, 20, 20))
    assert (content.faults, content.notes, content.annotated) == ('', (), True)
    assert content.paths == {str(tmp_path / f'{index}.png') for index in range(3)}


def test_what_is_wrong_with_pictures_of_whatever_set_is_a_fault(tmp_path: Path) -> None:
    pictures = sorted_pictures(tmp_path, 0, 1, 2)
    (tmp_path / '1.png').write_bytes((tmp_path / '0.png').read_bytes())
    (tmp_path / '2.png').write_bytes(b'')
    first, *lines = content_of(pictures, 'classification').faults.splitlines()
    assert first == 'pictures: 2 faults in a set of 3 images:'
    assert lines[0] == f'  {tmp_path}/2.png: cannot be read: the file is empty'
    assert lines[1] == f"  {tmp_path}/1.png: the same picture as {tmp_path}/0.png, of the class 'cat'"


def test_several_labels_of_a_picture_are_counted_each(tmp_path: Path) -> None:
    content = content_of(sorted_pictures(tmp_path, [0, 2], [2]), 'classification')
    assert (content.counts, content.faults) == ((1, 0, 2), '')


def test_pictures_without_files_labels_or_names_are_counted_all_the_same() -> None:
    content = content_of(Listed([{'img': None, 'gt_label': 1}, {'img': None, 'gt_label': 1}], {}), 'classification')
    assert (content.images, content.classes, content.counts) == (2, ('0', '1'), (0, 2))
    assert (content.image_size, content.paths) == (None, frozenset())
    assert not content_of(Listed([{'img': None}]), 'classification').annotated


def test_strong_imbalance_of_pictures_is_noted() -> None:
    entries = [{'img': None, 'gt_label': label} for label in [0] * 30 + [1] * 3]
    (note,) = content_of(Listed(entries), 'classification').notes
    assert note.startswith("10 times as many pictures of 'cat' (30) as of 'dog' (3)")
