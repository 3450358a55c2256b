"""Colours for classes."""

import cv2
import numpy as np
import pytest

from mobileone_mm.pictures.colours import MARK, distinct_colours, hexadecimal


@pytest.mark.parametrize(('count', 'least'), [(6, 60), (11, 45), (21, 30), (150, 5)])
def test_colours_are_far_apart_to_the_eye(count: int, least: float) -> None:
    """CIE76 distances; 2.3 is the least that is seen."""
    colours = np.array([*distinct_colours(count), MARK], dtype=np.uint8)
    seen = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 999 * np.eye(count + 1)
    assert apart.min() > least


@pytest.mark.parametrize('count', [4, 300])
def test_there_are_as_many_as_asked_for(count: int) -> None:
    assert len(distinct_colours(count)) == count


def test_a_colour_as_web_pages_write_it() -> None:
    assert hexadecimal((0, 128, 255)) == '#0080FF'
