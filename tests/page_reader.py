"""A page about an export, read strictly, and what pages are made of in tests."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np

from mobileone_mm.exporter.page import page
from mobileone_mm.exporter.page_pictures import Pair
from mobileone_mm.exporter.report import Report
from mobileone_mm.tasks.detection.agreement import SCORE_TOLERANCE
from mobileone_mm.tasks.detection.detections import Detections

EVIL = '<b>&"'  # breaks a page that does not escape it
SNIPPET = ('Copy it into the app:', 'let detector = "<Detector>" && true')
VOID = {'meta', 'img', 'wbr'}
SAND = (200, 150, 100)  # RGB
SQUARE = (0.25, 0.25, 0.75, 0.75)
CORNER = (0.8, 0.8, 0.95, 0.95)


class Reader(HTMLParser):
    """Reads a page strictly: every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f'{tag}: an attribute stands twice'
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags[-1:] == [('wbr', {})] and self.texts:
            self.texts[-1] += data.strip()
        elif data.strip():
            self.texts.append(data.strip())

    @property
    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == 'img']

    def between(self, start: str, end: str) -> list[str]:
        """The texts from one to another, these left out."""
        first = self.texts.index(start)
        return self.texts[first + 1 : self.texts.index(end, first)]


def html_of(report: Report, pairs: Sequence[Pair] = (), lacking: str = '', **changes: Any) -> str:
    return page(replace(report, **changes), pairs, SNIPPET, lacking)


def found(*rows: tuple[tuple[float, ...], float, int]) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(np.array(boxes).reshape(-1, 4), np.array(scores, dtype=float), np.array(labels, dtype=np.int64))


def pair(trained: Detections, exported: Detections, name: str = 'a.png', **others: Any) -> Pair:
    return Pair(name, np.tile(np.array(SAND, np.uint8), (64, 96, 1)), trained, exported, **others)


ALIKE = pair(found((SQUARE, 0.9, 0)), found((SQUARE, 0.9 - SCORE_TOLERANCE / 2, 0)))
ONE_MISSES = pair(found((SQUARE, 0.9, 0), (CORNER, 0.6, 1)), found((SQUARE, 0.9, 0)), 'b.png')


def decoded(image: Mapping[str, str | None]) -> 'np.ndarray[Any, Any]':
    """The picture (H, W, 3) in BGR that an image of the page holds."""
    source = image['src']
    assert source is not None
    kind, _, data = source.partition(',')
    assert kind == 'data:image/jpeg;base64'
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (str(picture.shape[1]), str(picture.shape[0])) == (image['width'], image['height'])
    return picture
