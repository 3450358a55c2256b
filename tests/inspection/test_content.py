"""What a data set holds: what is counted, once whatever is wrapped around it, and what is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobileone_mm.errors import DataError
from mobileone_mm.inspection.by_task import content_of
from mobileone_mm.inspection.content import BOXES, IMAGES, PIXELS, Spread, spreads

CLASSES = ('cat', 'dog', 'bird')


@dataclass(frozen=True)
class Listed:
    """A data set as mmengine shows it: an entry an image."""

    entries: Sequence[Mapping[str, Any]]
    metainfo: Mapping[str, Any] = field(default_factory=lambda: {'classes': CLASSES})

    def __len__(self) -> int:
        return len(self.entries)

    def get_data_info(self, index: int) -> Mapping[str, Any]:
        return self.entries[index]


@dataclass(frozen=True)
class Repeated:
    dataset: Any

    @property
    def metainfo(self) -> Mapping[str, Any]:
        return self.dataset.metainfo  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Joined:
    datasets: Sequence[Any]

    @property
    def metainfo(self) -> Mapping[str, Any]:
        return self.datasets[0].metainfo  # type: ignore[no-any-return]


def box(label: int, *bbox: float, ignored: bool = False) -> dict[str, Any]:
    return {'bbox_label': label, 'bbox': list(bbox), 'ignore_flag': int(ignored)}


def pictures() -> Listed:
    two = [box(0, 0, 0, 10, 20), box(0, 5, 5, 9, 11), box(1, 0, 0, 50, 40, ignored=True)]
    return Listed(
        [
            {'img_path': 'a.png', 'width': 100, 'height': 80, 'instances': two},
            {'img_path': 'b.png', 'width': 60, 'height': 80, 'instances': [box(2, 1, 1, 31, 3)]},
        ]
    )


def test_boxes_are_counted_but_for_those_that_no_loss_uses() -> None:
    content = content_of(pictures(), 'detection')
    assert (content.unit, content.images, content.classes) == (BOXES, 2, CLASSES)
    assert content.counts == (2, 0, 1)
    assert content.images_with == (1, 0, 1)  # two boxes of one picture are one image
    assert content.ignored == 1
    assert content.image_size == (Spread(60, 80, 100), Spread(80, 80, 80))
    assert content.box_size == (Spread(4, 10, 30), Spread(2, 6, 20))
    assert content.paths == {'a.png', 'b.png'}


def test_an_image_counts_once_however_its_set_is_wrapped() -> None:
    plain = content_of(pictures(), 'detection')
    assert content_of(Repeated(Repeated(pictures())), 'detection') == plain
    twice = content_of(Joined([Repeated(pictures()), pictures()]), 'detection')
    assert (twice.images, twice.counts, twice.paths) == (4, (4, 0, 2), plain.paths)


def test_what_nothing_says_is_not_made_up() -> None:
    content = content_of(Listed([{'img_path': 'a.png'}]), 'detection')
    assert (content.images, content.image_size, content.box_size, content.counts) == (1, None, None, (0, 0, 0))
    assert spreads([]) is None


@pytest.mark.parametrize('task', ['detection', 'segmentation', 'classification'])
def test_a_set_without_an_image_is_refused(task: str) -> None:
    with pytest.raises(DataError, match='the data set holds no image; set its paths in the config'):
        content_of(Listed([]), task)


def masks(folder: Path, rows: Sequence[Sequence[int]], **info: Any) -> Listed:
    """One picture, whose mask has these values."""
    mask = np.array(rows, np.uint8)
    Image.fromarray(mask).save(folder / 'mask.png')
    Image.fromarray(np.zeros((*mask.shape, 3), np.uint8)).save(folder / 'image.png')
    entry = {'img_path': str(folder / 'image.png'), 'seg_map_path': str(folder / 'mask.png'), **info}
    return Listed([entry], {'classes': CLASSES, 'palette': [(1, 2, 3), (4, 5, 6), (7, 8, 9)]})


@pytest.mark.parametrize(
    ('info', 'rows', 'counts', 'ignored'),
    [
        ({}, [[0, 0, 2], [0, 255, 2]], (3, 0, 2), 1),
        ({'reduce_zero_label': True}, [[1, 1, 3], [1, 0, 3]], (3, 0, 2), 1),
        ({'label_map': {7: 0, 9: 2, 8: 255}}, [[7, 7, 9], [7, 8, 9]], (3, 0, 2), 1),
    ],
    ids=['as they are', 'zero is no class', 'by a map'],
)
def test_pixels_are_counted_as_the_training_reads_them(
    info: dict[str, Any], rows: list[list[int]], counts: tuple[int, ...], ignored: int, tmp_path: Path
) -> None:
    content = content_of(masks(tmp_path, rows, **info), 'segmentation')
    assert (content.unit, content.images, content.counts, content.ignored) == (PIXELS, 1, counts, ignored)
    assert content.images_with == (1, 0, 1)
    assert content.image_size == (Spread(3, 3, 3), Spread(2, 2, 2))
    assert (content.box_size, content.faults) == (None, '')
    assert content.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def test_an_id_that_is_no_class_is_a_fault(tmp_path: Path) -> None:
    content = content_of(masks(tmp_path, [[0, 0], [1, 5]]), 'segmentation')
    assert 'id 5 (1 px)' in content.faults


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
