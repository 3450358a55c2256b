"""Random samples as a training pipeline gives them, drawn on one sheet."""

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config

from mobileone_mm.errors import DataError
from mobileone_mm.inspection.by_task import KINDS
from mobileone_mm.openmmlab.configs import task_of
from mobileone_mm.openmmlab.data_sets import require_packed, why_not_given
from mobileone_mm.outputs import SAMPLES, mark_folder, signed_jpeg
from mobileone_mm.pictures.reading import Picture, channels_swapped
from mobileone_mm.pictures.sheet import sheet_of

LOADER = 'train_dataloader'
QUALITY = 90  # of a JPEG


def samples_of(config: Config, dataset: Any, count: int, seed: int) -> bytes:
    """Draw random samples of a config's training set, which is read, as its pipeline gives them: a JPEG file.

    The same seed takes and changes the same pictures.

    Raises:
        ConfigError: the pipeline does not pack what it gives.
        DataError: the pipeline cannot read a sample.
        MobileOneError: supervision, which draws boxes, cannot be imported.
    """
    random.seed(seed)  # what pipelines draw from
    np.random.seed(seed)
    torch.manual_seed(seed)
    chosen = np.random.default_rng(seed).choice(len(dataset), min(count, len(dataset)), replace=False)
    names, palette = tuple(dataset.metainfo.get('classes') or ()), dataset.metainfo.get('palette') or ()
    items = [_sample(config, dataset, int(index)) for index in chosen]
    kind = KINDS[task_of(config)]
    for item in items:
        require_packed(item, config, LOADER)
    samples = [item['data_samples'] for item in items]
    pictures = [picture_of(item['inputs']) for item in items]
    drawn = [kind.drawn(*both, names, palette) for both in zip(pictures, samples, strict=True)]
    header = f'{len(drawn)} random samples as the training pipeline gives them, with their {kind.shown}'
    sheet = sheet_of(drawn, kind.columns, header, kind.legend(samples, names, palette))
    done, data = cv2.imencode('.jpg', channels_swapped(sheet), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError(f'{SAMPLES}: a sheet of {sheet.shape[1]} x {sheet.shape[0]} px cannot be written')
    return signed_jpeg(data.tobytes())


def write_sheet(sheet: bytes, folder: Path) -> None:
    """Make the folder of a check, with its sheet."""
    folder.mkdir()
    mark_folder(folder, 'check')
    (folder / SAMPLES).write_bytes(sheet)


def _sample(config: Config, dataset: Any, index: int) -> Any:
    try:
        return dataset[index]
    except Exception as error:  # of any kind, for a file that is no picture or an option that does not fit
        why = why_not_given(error, config, LOADER)
        raise DataError(f'the training pipeline cannot give sample {index}: {why}') from error


def picture_of(inputs: torch.Tensor) -> Picture:
    """The picture of BGR planes (3, H, W), 0..255 in whatever type."""
    bgr = inputs.numpy().astype(np.float64).round().clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(bgr[::-1].transpose(1, 2, 0))
