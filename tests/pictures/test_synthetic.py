"""The drawn picture."""

import numpy as np

from mobileone_mm.pictures.synthetic import drawn_picture


def test_drawn_picture_is_always_the_same() -> None:
    picture = drawn_picture((48, 32))
    assert (picture.shape, picture.dtype) == ((32, 48, 3), np.uint8)
    np.testing.assert_array_equal(picture, drawn_picture((48, 32)))
    assert picture.std() > 30  # it has to excite a network
