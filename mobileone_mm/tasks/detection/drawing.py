"""Detections drawn on their picture, alone or beside another detector's with what differs marked."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobileone_mm.pictures.drawing import draw_boxes
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.tasks.detection.agreement import Agreement, Mask, agreement, most_telling, of_rows
from mobileone_mm.tasks.detection.detections import Detections
from mobileone_mm.tasks.detection.rows import in_pixels

MOST_DRAWN = 20  # boxes on a picture of a report


def drawn(picture: Picture, found: Detections, classes: Sequence[str]) -> Picture:
    """A copy of the picture (H, W, 3) with every box, its class and score."""
    return _drawn(picture, found, classes, np.zeros(len(found.scores), dtype=bool), [''] * len(found.scores))


def drawn_pair(
    picture: Picture, left: Detections, right: Detections, classes: Sequence[str], compared: Agreement
) -> tuple[Picture, Picture]:
    """Two copies of the picture (H, W, 3): a box that differs has a red frame, and its label says by how much."""
    rows, columns = compared.partners.T
    difference = np.full(len(right.scores), np.nan)
    difference[columns] = compared.score_differences
    alone = np.ones(len(left.scores), dtype=bool)
    alone[rows] = False
    left_notes = [' only here' if lonely else '' for lonely in alone]
    right_notes = [
        '' if not differs else ' only here' if np.isnan(value) else f' ({value:+.2f})'
        for value, differs in zip(difference, compared.right_differs, strict=True)
    ]
    return (
        _drawn(picture, left, classes, compared.left_differs, left_notes),
        _drawn(picture, right, classes, compared.right_differs, right_notes),
    )


def drawn_beside(
    picture: Picture,
    truth: Detections | None,
    left: Detections,
    right: Detections,
    classes: Sequence[str],
    compared: Agreement,
) -> list[tuple[Picture, str]]:
    """Copies of the picture (H, W, 3) with the annotated boxes, if they are known, and with what both detectors found.

    No more than `MOST_DRAWN` on each, so that they can be told apart: of the detectors' boxes those that differ and
    then the surest, of the annotated ones the largest. Each with the number of its boxes, in words.
    """
    height, width = picture.shape[:2]
    few, few_others = most_telling(left, right, compared, MOST_DRAWN)
    pair = drawn_pair(picture, few, few_others, classes, agreement(few, few_others, (width, height)))
    shown = [(pair[0], _counted(left, few)), (pair[1], _counted(right, few_others))]
    if truth is not None:
        largest = _largest(truth)
        shown.insert(0, (drawn(picture, largest, classes), _counted(truth, largest)))
    return shown


def drawn_judged(
    picture: Picture, truth: Detections, missed: Mask, found: Detections, wrong: Mask, classes: Sequence[str]
) -> list[tuple[str, Picture, str]]:
    """Copies of the picture (H, W, 3) with the annotated and with the found boxes, mistakes in a red frame.

    No more than `MOST_DRAWN` on each: mistakes first, then the largest annotated and the surest found ones. Each with a
    title, and with the number of its boxes in words.
    """
    areas = (truth.boxes[:, 2:] - truth.boxes[:, :2]).prod(axis=1)
    sides = ('annotated', truth, missed, areas), ('found', found, wrong, found.scores)
    shown = []
    for title, boxes, marked, weights in sides:
        kept = np.zeros(len(marked), dtype=bool)
        kept[np.lexsort((-weights, ~marked))[:MOST_DRAWN]] = True
        few = of_rows(boxes, kept)
        image = _drawn(picture, few, classes, marked[kept], [''] * len(few.labels))
        shown.append((title, image, _counted(boxes, few)))
    return shown


def _largest(truth: Detections) -> Detections:
    areas = (truth.boxes[:, 2:] - truth.boxes[:, :2]).prod(axis=1)
    kept = np.zeros(len(areas), dtype=bool)
    kept[np.argsort(-areas, kind='stable')[:MOST_DRAWN]] = True
    return of_rows(truth, kept)


def _counted(found: Detections, drawn: Detections) -> str:
    count, rest = len(drawn.labels), len(found.labels) - len(drawn.labels)
    return f'{count} {"box" if count == 1 else "boxes"}' + (f' and {rest} more' if rest else '')


def _text(name: str, score: float, note: str = '') -> str:
    return f'{name}{note}' if math.isnan(score) else f'{name} {score:.2f}{note}'


def _drawn(picture: Picture, found: Detections, classes: Sequence[str], marked: Mask, notes: Sequence[str]) -> Picture:
    texts = [
        _text(classes[label], score, note) for label, score, note in zip(found.labels, found.scores, notes, strict=True)
    ]
    height, width = picture.shape[:2]
    return draw_boxes(picture, in_pixels(found.boxes, (width, height)), found.labels, texts, marked)


def as_json(found: Detections, classes: Sequence[str], size: tuple[int, int]) -> list[dict[str, Any]]:
    """Label, score and corners in px of a picture of `size` (width, height), for each box."""
    rows = zip(found.labels, found.scores, in_pixels(found.boxes, size), strict=True)
    return [
        {'label': classes[label], 'score': round(float(score), 4), 'box': [round(float(side), 2) for side in box]}
        for label, score, box in rows
    ]


def said(found: Detections, classes: Sequence[str]) -> str:
    """What was found, in words."""
    texts = [_text(classes[label], score) for label, score in zip(found.labels, found.scores, strict=True)]
    return ', '.join(texts) or 'no boxes'
