"""Why a box cannot be trained on."""

import pytest

from mobileone_mm.datasets.checks import box_fault

WIDTH, HEIGHT = 40, 30
NAN, INF = float('nan'), float('inf')
# box x1, y1, x2, y2 and why it cannot be used, in an image of WIDTH x HEIGHT
BOXES = [
    ((0, 0, WIDTH, HEIGHT), None),
    ((5, 5, 6, 6), None),  # one pixel
    ((-5, -5, 3, 3), None),  # reaches in
    ((5, 5, 5, 20), 'of zero size'),
    ((5, 5, 20, 5), 'of zero size'),
    ((20, 5, 5, 20), 'of zero size'),  # corners swapped
    ((40, 0, 60, 20), 'outside the image'),  # touches the edge from outside
    ((0, -20, 20, 0), 'outside the image'),
    ((NAN, 0, 20, 20), 'not four finite numbers'),
    ((0, 0, INF, 20), 'not four finite numbers'),
    ((0, 0, 20), 'not four finite numbers'),
]


@pytest.mark.parametrize(('box', 'fault'), BOXES)
def test_box_fault(box: tuple[float, ...], fault: str | None) -> None:
    assert box_fault(box, WIDTH, HEIGHT) == fault
