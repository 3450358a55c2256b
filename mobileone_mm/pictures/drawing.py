"""Boxes and labels on pictures, drawn by supervision; two pictures side by side; sheets of such pairs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import DataError, MobileOneError

PANEL = 320  # px, side of one enlarged picture on the sheet: labels of small boxes stay legible
SEAM = 2  # px between the two of a pair
GAP = 16  # px between pairs
COLUMNS = 3
PALETTE = ('#ffb000', '#00d68f', '#4ea8ff', '#ff6b8b', '#b07cff', '#c9d200')  # light: black text reads on each
MARK = '#e00024'  # around boxes that differ; white text reads on it
HEADER = 44  # px above the first row of a sheet, and at least above a pair
THINNEST_LINE, SMALLEST_TEXT = 2, 12  # px; both grow slower than the picture, which is then looked at as a whole
SIDE_PER_LINE, SIDE_PER_TEXT = 400, 100  # px of the longer side for one px more

Bgr = NDArray[np.uint8]  # (H, W, 3)
Boxes = Sequence[Mapping[str, Any]]  # COCO annotations or results: bbox, category_id, results also score


def supervision() -> ModuleType:
    """Import supervision late: who draws nothing needs none.

    Raises:
        MobileOneError: it cannot be imported.
    """
    try:
        import supervision
    except ImportError as error:
        install = "install it: pip install 'mobileone-mm[pictures]'"
        raise MobileOneError(f'supervision cannot be imported ({error}); {install}') from error
    module: ModuleType = supervision
    return module


def draw_boxes(
    image_bgr: Bgr, xyxy: NDArray[np.float64], labels: ArrayLike, texts: Sequence[str], marked: ArrayLike
) -> Bgr:
    """A copy of the picture with framed and labelled boxes; frames and text grow with the picture.

    Args:
        image_bgr: (H, W, 3).
        xyxy: (M, 4) left, top, right, bottom in px.
        labels: (M,) index of the class, which chooses the colour.
        texts: one a box.
        marked: (M,) true for boxes that get a red frame around theirs, and a red label.

    Raises:
        MobileOneError: supervision cannot be imported.
    """
    sv = supervision()
    line, text = THINNEST_LINE + max(image_bgr.shape[:2]) // SIDE_PER_LINE, _text_height(image_bgr)
    classes, marks = np.asarray(labels, dtype=int).reshape(-1), np.asarray(marked, dtype=bool).reshape(-1)
    detections = sv.Detections(xyxy=xyxy, class_id=classes)
    palette = sv.ColorPalette.from_hex([*PALETTE, MARK])
    inks = sv.ColorPalette([sv.Color.BLACK] * len(PALETTE) + [sv.Color.WHITE])
    colours = classes % len(PALETTE)
    annotate_marks = sv.BoxAnnotator(color=sv.Color.from_hex(MARK), thickness=4 * line)
    annotate_frames = sv.BoxAnnotator(color=palette, thickness=line)
    annotate_labels = sv.RichLabelAnnotator(
        palette, text_color=inks, font_path=_font_path(), font_size=text, text_padding=text // 4, smart_position=True
    )
    canvas = annotate_marks.annotate(image_bgr.copy(), sv.Detections(xyxy=xyxy[marks], class_id=classes[marks]))
    canvas = annotate_frames.annotate(canvas, detections, custom_color_lookup=colours)
    canvas = annotate_labels.annotate(canvas, detections, list(texts), np.where(marks, len(PALETTE), colours))
    return _uint8(canvas)


def resized(image_bgr: Bgr, side: int) -> Bgr:
    """The picture with its longer side at `side` px."""
    zoom = side / max(image_bgr.shape[:2])
    way = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    return _uint8(cv2.resize(image_bgr, None, fx=zoom, fy=zoom, interpolation=way))


def beside(left: Bgr, right: Bgr, headers: tuple[str, str]) -> Bgr:
    """Two pictures of one size side by side on white, a line of text above each."""
    height, width = left.shape[:2]
    text = _text_height(left)
    top = max(HEADER, 2 * text)
    canvas = Image.new('RGB', (2 * width + SEAM, top + height), 'white')
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(_font_path(), text)
    for start, header in zip((0, width + SEAM), headers, strict=True):
        draw.text((start + text // 2, top // 2), _fitting(header, font, width - text), 'black', font, anchor='lm')
    sheet = _uint8(np.asarray(canvas)[..., ::-1].copy())
    sheet[top:, :width], sheet[top:, width + SEAM :] = left, right
    return sheet


def write_sheet(
    out: Path, annotations: Path, predictions: Path, images: Path, count: int = 12, min_score: float = 0.5
) -> None:
    """Write a PNG with the set's first `count` pictures, ground truth left and predictions right of each pair.

    Args:
        out: the PNG.
        annotations: COCO instances file of the pictures.
        predictions: COCO results file: what mmdet's CocoMetric writes with `outfile_prefix`.
        images: folder of the pictures.
        count: how many pairs; the first ones of the file, not chosen by how well they went.
        min_score: predictions below are not drawn.

    Raises:
        DataError: a picture cannot be read.
    """
    truth = json.loads(annotations.read_text())
    found = [box for box in json.loads(predictions.read_text()) if box['score'] >= min_score]
    names = {category['id']: category['name'] for category in truth['categories']}
    pairs = []
    for entry in truth['images'][:count]:
        image = cv2.imread(str(images / entry['file_name']))
        if image is None:
            raise DataError(f'{images / entry["file_name"]}: cannot be read as a picture')
        of_image = [[box for box in boxes if box['image_id'] == entry['id']] for boxes in (truth['annotations'], found)]
        left, right = (draw_coco(_uint8(image), boxes, names) for boxes in of_image)
        pairs.append(np.hstack([left, np.full((len(left), SEAM, 3), 255, np.uint8), right]))
    write_picture(out, _tile(pairs, f'left: truth   right: found, score {min_score:g} or more'))


def write_picture(out: Path, image_bgr: Bgr) -> None:
    """Write a picture in the format that the path's ending names; it appears whole or not at all."""
    with replacing(out) as fresh:
        if not cv2.imwrite(str(fresh), image_bgr):
            raise OSError(f'{out}: cannot be written')


def draw_coco(image_bgr: Bgr, boxes: Boxes, names: Mapping[int, str]) -> Bgr:
    """A copy of the picture with labelled boxes, its longer side `PANEL`.

    Args:
        image_bgr: (H, W, 3).
        boxes: COCO annotations or results; a score, where there is one, is written beside the name.
        names: of every category id.
    """
    canvas = resized(image_bgr, PANEL)
    zoom = PANEL / max(image_bgr.shape[:2])
    xywh = np.array([box['bbox'] for box in boxes], dtype=np.float64).reshape(-1, 4) * zoom
    order = list(names)
    labels = [order.index(box['category_id']) for box in boxes]
    texts = [names[box['category_id']] + (f' {box["score"]:.2f}' if 'score' in box else '') for box in boxes]
    return draw_boxes(canvas, np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]), labels, texts, [False] * len(boxes))


def _tile(pairs: Sequence[Bgr], header: str) -> Bgr:
    """Pairs in rows of `COLUMNS` on white, the header above every column."""
    height, width = (max(pair.shape[axis] for pair in pairs) + GAP for axis in (0, 1))
    columns = min(COLUMNS, len(pairs))
    sheet = np.full((HEADER + -(-len(pairs) // columns) * height, GAP + columns * width, 3), 255, np.uint8)
    for index, pair in enumerate(pairs):
        top, left = HEADER + index // columns * height, GAP + index % columns * width
        sheet[top : top + pair.shape[0], left : left + pair.shape[1]] = pair
    for column in range(columns):
        place = (GAP + column * width, HEADER - 14)
        cv2.putText(sheet, header, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def _text_height(image_bgr: Bgr) -> int:
    return SMALLEST_TEXT + int(max(image_bgr.shape[:2])) // SIDE_PER_TEXT


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of its end as fits into `width` px: of a path, the end tells more."""
    for start in range(len(text)):
        shown = text if start == 0 else f'…{text[start:]}'
        if font.getlength(shown) <= width:
            return shown
    return ''


def _font_path() -> str:
    # Pillow's own font knows ASCII only; this one, Latin, Greek and Cyrillic too.
    return str(Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf')


def _uint8(image: NDArray[Any]) -> Bgr:
    """OpenCV returns what it was given, but its types do not say so."""
    return image.astype(np.uint8, copy=False)
