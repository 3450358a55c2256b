"""What a detector's data hold: boxes, each counted once, and what nothing says."""

from typing import Any

from listed_sets import CLASSES, Joined, Listed, Repeated

from mobileone_mm.inspection.by_task import content_of
from mobileone_mm.inspection.content import BOXES, Spread


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
