"""The class of each pixel over a picture: what is painted where."""

import numpy as np
import pytest

from mobileone_mm.pictures.labels import draw_labels, draw_marked, paint_labels

RED, BLUE = (255, 0, 0), (0, 0, 255)


def plain(height: int, width: int, level: int = 100) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_each_class_has_its_colour_edges_are_white_and_no_class_is_striped() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[:, 10:] = 1
    labels[:, 20:] = 255
    painted = paint_labels(plain(20, 30), labels, [RED, BLUE])
    assert painted[5, 4].tolist() == [round(0.4 * 100 + 0.6 * 255), 40, 40]
    assert painted[5, 15].tolist() == [40, 40, round(0.4 * 100 + 0.6 * 255)]
    assert (painted[:, [10, 20]] == 255).all()
    levels = np.unique(painted[:, 21:]).tolist()
    assert levels == [100, 128]
    assert (painted[:, 21:] == 100).mean() == pytest.approx(0.75, abs=0.05)


def test_the_picture_that_is_painted_over_stays_as_it_was() -> None:
    picture = plain(4, 4)
    paint_labels(picture, np.zeros((4, 4), np.uint8), [RED])
    assert (picture == 100).all()


def test_a_class_is_named_where_it_has_room_and_what_is_marked_is_red() -> None:
    labels = np.zeros((80, 120), np.uint8)
    labels[:, 116:] = 1  # too narrow for a name
    marked = np.zeros((80, 120), bool)
    marked[:4] = True
    palette = [RED, BLUE]
    drawn = draw_labels(plain(80, 120), labels, palette, ('sky', 'road'), marked)
    painted = paint_labels(plain(80, 120), labels, palette)
    assert (drawn[:4] == (224, 0, 36)).all()
    named = (drawn[4:] != painted[4:]).any(axis=-1)
    assert named.any()
    rows, columns = np.nonzero(named)
    assert columns.max() < 116
    assert abs(rows.mean() + 4 - 40) < 5, 'in the middle of its class'


@pytest.mark.parametrize('place', [np.s_[:, :24], np.s_[:, -24:], np.s_[:24], np.s_[-24:]])
def test_a_name_is_whole_wherever_its_class_lies(place: tuple[slice, ...] | slice) -> None:
    labels = np.zeros((120, 160), np.uint8)
    labels[place] = 1
    at_the_edge = draw_labels(plain(120, 160), labels, [RED, BLUE], ('', 'aeroplane'))
    amid = draw_labels(plain(120, 160), np.ones_like(labels), [RED, BLUE], ('', 'aeroplane'))
    assert (at_the_edge == 0).all(axis=2).sum() == pytest.approx((amid == 0).all(axis=2).sum(), rel=0.1)


def test_marked_pixels_are_red_on_grey() -> None:
    picture = plain(4, 4)
    picture[..., 0] = 200
    marked = np.eye(4, dtype=bool)
    drawn = draw_marked(picture, marked)
    assert (drawn[marked] == (224, 0, 36)).all()
    assert (drawn[~marked] == 130).all()  # 0.3 of red, 0.6 of green and 0.1 of blue
    assert (picture[..., 0] == 200).all()
