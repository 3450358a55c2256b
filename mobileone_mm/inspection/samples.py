"""Random samples as a training pipeline gives them, drawn on one sheet."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import DataError
from mobileone_mm.outputs import CHECK, SAMPLES, mark_folder, signed_jpeg
from mobileone_mm.pictures.drawing import draw_boxes
from mobileone_mm.pictures.labels import paint_labels
from mobileone_mm.pictures.reading import Picture, channels_swapped
from mobileone_mm.pictures.sheet import GAP, captioned, fitted, sheet_of

SIDE = 320  # px of the longer side of a sample on the sheet
COLUMNS = {'detection': 4, 'segmentation': 2, 'classification': 4}  # of a row: a segmentation's sample is a pair
SHOWN = {
    'detection': 'boxes',
    'segmentation': 'masks, striped where there is no class',
    'classification': 'classes',
}
QUALITY = 90  # of a JPEG


def write_samples(dataset: Any, task: str, out: Path, count: int, seed: int) -> Path:
    """Draw random samples of a data set as its pipeline gives them; returns the sheet's path, in the folder `out`.

    The same seed takes and changes the same pictures.

    Raises:
        DataError: the pipeline cannot read a sample.
        MobileOneError: supervision, which draws boxes, cannot be imported.
        UsageError: `out` is another's folder.
    """
    random.seed(seed)  # what pipelines draw from
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = np.random.default_rng(seed).choice(len(dataset), min(count, len(dataset)), replace=False)
    names, palette = tuple(dataset.metainfo.get('classes') or ()), dataset.metainfo.get('palette') or ()
    items = [_sample(dataset, int(index)) for index in chosen]
    drawn = [_drawn(item, task, names, palette) for item in items]
    legend = _legend(items, names, palette) if task == 'segmentation' else []
    header = f'{len(drawn)} random samples as the training pipeline gives them, with their {SHOWN[task]}'
    sheet = sheet_of(drawn, COLUMNS[task], header, legend)
    done, data = cv2.imencode('.jpg', channels_swapped(sheet), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError(f'{out / SAMPLES}: cannot be written')
    with replacing(out, CHECK) as fresh:
        fresh.mkdir()
        mark_folder(fresh, 'check')
        (fresh / SAMPLES).write_bytes(signed_jpeg(data.tobytes()))
    return out / SAMPLES


def _sample(dataset: Any, index: int) -> Any:
    try:
        return dataset[index]
    except Exception as error:  # of any kind, for a file that is no picture or an option that does not fit
        raise DataError(f'the training pipeline cannot give sample {index}: {str(error).strip()}') from error


def _legend(items: Sequence[Any], names: Sequence[str], palette: Sequence[Any]) -> list[tuple[str, Any]]:
    """The classes that are seen in some samples, with their colours."""
    seen = {int(label) for item in items for label in item['data_samples'].gt_sem_seg.data.unique()}
    return [(names[label], palette[label]) for label in sorted(seen) if label < len(names)]


def _drawn(item: Any, task: str, names: Sequence[str], palette: Sequence[Sequence[int]]) -> Picture:
    picture, sample = _picture(item['inputs']), item['data_samples']
    if task == 'segmentation':
        labels = sample.gt_sem_seg.data.squeeze(0).numpy()
        painted = fitted(paint_labels(picture, labels, palette), SIDE)
        plain = fitted(picture, SIDE)
        return np.hstack([plain, np.full((len(plain), GAP // 3, 3), 255, np.uint8), painted])
    canvas = fitted(picture, SIDE)
    if task == 'classification':
        labels = [int(label) for label in sample.gt_label] if 'gt_label' in sample else []
        said = [names[label] if label < len(names) else str(label) for label in labels]
        return captioned(canvas, ', '.join(said) or 'no class')
    boxes = sample.gt_instances.bboxes
    xyxy = np.asarray(getattr(boxes, 'tensor', boxes), np.float64).reshape(-1, 4)
    labels = sample.gt_instances.labels.numpy()
    zoom = canvas.shape[1] / picture.shape[1]
    return draw_boxes(canvas, xyxy * zoom, labels, [names[label] for label in labels], [False] * len(labels))


def _picture(inputs: torch.Tensor) -> Picture:
    """The picture of BGR planes (3, H, W), 0..255 in whatever type."""
    bgr = inputs.numpy().astype(np.float64).round().clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(bgr[::-1].transpose(1, 2, 0))
