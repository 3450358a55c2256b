"""Colours for classes."""

import numpy as np
import pytest

from mobileone_mm.pictures.colours import distinct_colours, hexadecimal


@pytest.mark.parametrize('count', [2, 11, 21, 150])
def test_colours_by_themselves_are_far_apart(count: int) -> None:
    colours = np.array(distinct_colours(count))
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=-1) + 999 * np.eye(count, dtype=int)
    assert apart.min() > (100 if count <= 21 else 0)


def test_a_colour_as_web_pages_write_it() -> None:
    assert hexadecimal((0, 128, 255)) == '#0080FF'
