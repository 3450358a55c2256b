"""The pictures of the page: what each side found is drawn and said, and what differs is red where it is."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from page_reader import ALIKE, CORNER, EVIL, ONE_MISSES, SAND, SQUARE, Reader, decoded, found, pair

from mobileone_mm.exporter.page_pictures import MOST_PAIRS, PICTURE_SIDE, pictures_section
from mobileone_mm.exporter.report import Report
from mobileone_mm.pictures.drawing import MARK

NOISE = 40  # grey levels; what JPEG leaves of a difference of none


def section(report: Report, *pairs: Any, lacking: str = '') -> str:
    return pictures_section(pairs, report.info, f'{len(pairs)} pictures given', lacking)


def reddish(picture: 'np.ndarray[Any, Any]') -> int:
    """Pixels of the colour that marks what differs."""
    rgb = [int(MARK[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(picture.astype(int) - rgb[::-1]).max(axis=2) < NOISE).sum())


def test_pictures_are_the_same_where_detections_are(shown: Report) -> None:
    same = pair(found((SQUARE, 0.9, 0)), found((SQUARE, 0.9, 0)))
    left, right = map(decoded, Reader(section(shown, same)).images)
    assert max(left.shape) == PICTURE_SIDE
    assert (left == right).all()
    assert reddish(left) == 0
    assert np.abs(left[-1, 0].astype(int) - SAND[::-1]).max() < NOISE
    # Something is drawn.
    assert (np.abs(left.astype(int) - SAND[::-1]).max(axis=2) > NOISE).sum() > 500


def test_what_differs_is_red_where_it_is(shown: Report) -> None:
    html = section(shown, ONE_MISSES)
    reader = Reader(html)
    left, right = map(decoded, reader.images)
    assert [image['alt'] for image in reader.images] == [
        f'b.png, trained model: {EVIL} 0.90, square 0.60',
        f'b.png, exported file: {EVIL} 0.90',
    ]
    assert reddish(left) > 100
    assert reddish(right) == 0
    height, width = left.shape[:2]
    changed = np.argwhere(np.abs(left.astype(int) - right).max(axis=2) > NOISE)
    # The corner's frame, and its label above, which runs to the left where there is no room.
    assert (changed >= (0.65 * height, 0.45 * width)).all()
    said = 'boxes: trained 2, exported 1, in agreement 1; largest difference 0 in score, 0 px'
    assert said in reader.texts
    assert f'<span class="differs">{said}</span>' in html
    assert reader.texts[1] == f'1 pictures given. B{said[1:]}. What differs is marked in red.'


def test_those_that_differ_come_first_and_the_number_is_limited(shown: Report) -> None:
    pairs = [replace(ALIKE, name=f'{index}.png') for index in range(MOST_PAIRS)] + [ONE_MISSES]
    html = section(shown, *pairs)
    reader = Reader(html)
    assert len(reader.images) == 2 * MOST_PAIRS
    names = [text for text in reader.texts if text.endswith('.png')]
    assert names == ['b.png', *(f'{index}.png' for index in range(MOST_PAIRS - 1))]
    assert any(f'{MOST_PAIRS} of {MOST_PAIRS + 1} are shown' in text for text in reader.texts)
    assert html.count('class="differs"') == 1


def test_what_was_annotated_stands_before_what_was_found(shown: Report) -> None:
    truth = found((SQUARE, np.nan, 0), (CORNER, np.nan, 2))
    reader = Reader(section(shown, replace(ALIKE, truth=truth)))
    titles = ['ground truth', 'trained model', 'exported file']
    assert [text for text in reader.texts if text in titles] == titles
    assert [text for text in reader.texts if re.fullmatch(r'\d+ box(es)?', text)] == ['2 boxes', '1 box', '1 box']
    assert str(reader.images[0]['alt']) == f'a.png, ground truth: {EVIL}, triangle'


def test_it_is_drawn_on_the_picture_before_it_was_stretched(shown: Report) -> None:
    canvas = np.tile(np.array(SAND, np.uint8), (200, 100, 1))
    for image in Reader(section(shown, replace(ALIKE, canvas=canvas))).images:
        assert decoded(image).shape == (PICTURE_SIDE, PICTURE_SIDE // 2, 3)


@pytest.mark.parametrize('lacking', ['', 'no picture of the test data can be used: <why>'])
def test_real_pictures_are_asked_for_where_there_are_none(lacking: str, shown: Report) -> None:
    html = section(shown, ALIKE, lacking=lacking)
    assert ('class="advice"' in html) == bool(lacking)
    assert (f'({lacking})' in '\n'.join(Reader(html).texts)) == bool(lacking)
