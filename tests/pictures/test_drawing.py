"""Drawing: boxes and labels where they belong, any alphabet, marks of what differs, two pictures beside each other."""

import sys

import numpy as np
import pytest

from mobileone_mm.errors import MobileOneError
from mobileone_mm.pictures.drawing import HEADER, SEAM, beside, draw_boxes, resized
from mobileone_mm.pictures.reading import Picture

ORANGE = (255, 176, 0)  # the first colour of the palette
RED = (0xE0, 0x00, 0x24)  # what differs


def ground(height: int = 80, width: int = 80) -> Picture:
    return np.full((height, width, 3), 90, np.uint8)


def test_without_supervision_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(
        MobileOneError, match=r"supervision cannot be imported .*pip install 'mobileone-mm\[pictures\]'"
    ):
        draw_boxes(ground(), np.zeros((0, 4)), [], [], [])


@pytest.mark.parametrize('text', ['ößñ', 'Ψ', 'Жук'])
def test_labels_know_more_than_ascii(text: str) -> None:
    box = np.array([[20.0, 100, 300, 300]])
    drawn, tofu = (draw_boxes(ground(400, 400), box, [0], [label], [False]) for label in (text, '\uffff' * len(text)))
    assert (drawn != tofu).any()


@pytest.mark.parametrize(('height', 'side', 'shape'), [(40, 320, (160, 320)), (40, 20, (10, 20))])
def test_resized(height: int, side: int, shape: tuple[int, int]) -> None:
    picture = resized(ground(height=height), side)
    assert picture.shape == (*shape, 3)
    assert (picture == 90).all()


def test_two_pictures_beside_each_other_have_headers_that_fit() -> None:
    left, right = ground(100, 200), ground(100, 200) + np.uint8(9)
    sheet = beside(left, right, ('a' * 100, 'b.onnx'))
    assert sheet.shape == (HEADER + 100, 400 + SEAM, 3)
    assert (sheet[HEADER:, :200] == left).all()
    assert (sheet[HEADER:, 200 + SEAM :] == right).all()
    ink = np.argwhere(sheet[:HEADER] < 128)
    for start, end in ((0, 200), (200 + SEAM, 400 + SEAM)):
        columns = ink[(ink[:, 1] >= start) & (ink[:, 1] < end), 1]
        assert start + 5 <= columns.min()
        assert columns.max() <= end - 5


def test_a_marked_box_has_a_red_label_and_a_red_frame_around_its_own() -> None:
    box = np.array([[100.0, 100, 300, 300]])
    plain, marked = (draw_boxes(ground(400, 400), box, [0], ['cup'], [mark]) for mark in (False, True))
    assert tuple(plain[90, 103]) == tuple(plain[200, 100]) == tuple(marked[200, 100]) == ORANGE
    assert tuple(marked[90, 103]) == tuple(marked[200, 96]) == RED
    assert tuple(plain[200, 96]) == (90, 90, 90)
