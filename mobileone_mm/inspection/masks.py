"""A segmenter's data: masks."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobileone_mm.datasets.faults import fault_text
from mobileone_mm.datasets.mask_faults import scan
from mobileone_mm.datasets.mask_files import Pair
from mobileone_mm.datasets.mask_rules import Rules, labels_of_ids
from mobileone_mm.inspection.content import PIXELS, Content, spreads
from mobileone_mm.inspection.kind import SIDE, Infos, Kind, Palette
from mobileone_mm.pictures.labels import paint_labels
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.pictures.sheet import GAP, fitted

LOGGER = logging.getLogger(__name__)


def _content(dataset: Any, _sets: Sequence[Any], infos: Infos) -> Content:
    classes, palette = tuple(dataset.metainfo['classes']), dataset.metainfo.get('palette') or ()
    pairs = [Pair(info['img_path'], info['img_path'], info.get('seg_map_path') or '') for info in infos]
    first = infos[0]
    labels = labels_of_ids(first.get('reduce_zero_label', False), first.get('label_map'))
    found = scan(pairs, Rules(classes, labels, first.get('colour_map')), LOGGER.info)
    return Content(
        PIXELS,
        len(infos),
        spreads(found.sizes),
        classes,
        found.pixels,
        found.images,
        found.ignored,
        None,
        frozenset(pair.image for pair in pairs),
        tuple(tuple(map(int, colour)) for colour in palette),
        fault_text(found.faults, found.cures, 'masks', len(pairs)) if found.faults else '',
    )


def _drawn(picture: Picture, sample: Any, _names: Sequence[str], palette: Palette) -> Picture:
    """The picture, and beside it the same with its mask."""
    painted = fitted(paint_labels(picture, sample.gt_sem_seg.data.squeeze(0).numpy(), palette), SIDE)
    plain = fitted(picture, SIDE)
    return np.hstack([plain, np.full((len(plain), GAP // 3, 3), 255, np.uint8), painted])


def _legend(samples: Sequence[Any], names: Sequence[str], palette: Palette) -> list[tuple[str, Any]]:
    """The classes that are seen in some samples, with their colours."""
    seen = {int(label) for sample in samples for label in sample.gt_sem_seg.data.unique()}
    return [(names[label], palette[label]) for label in sorted(seen) if label < len(names)]


KIND = Kind(_content, _drawn, 'masks, striped where there is no class', columns=2, legend=_legend)
