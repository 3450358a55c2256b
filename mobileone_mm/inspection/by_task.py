"""How data are looked at, by the task they are for: one more is one file and one line here."""

from collections.abc import Iterator, Mapping
from typing import Any

from mobileone_mm.errors import DataError
from mobileone_mm.inspection import boxes, class_pictures, masks
from mobileone_mm.inspection.content import Content
from mobileone_mm.inspection.kind import Kind

KINDS: Mapping[str, Kind] = {
    'detection': boxes.KIND,
    'segmentation': masks.KIND,
    'classification': class_pictures.KIND,
}


def content_of(dataset: Any, task: str) -> Content:
    """What a data set holds, whatever is wrapped around it; each image counts once.

    Args:
        dataset: of mmdet, mmseg or mmpretrain, read.
        task: what it is for.

    Raises:
        DataError: it holds no image.
    """
    sets = list(innermost(dataset))
    infos = [one.get_data_info(index) for one in sets for index in range(len(one))]
    if not infos:
        raise DataError('the data set holds no image; set its paths in the config')
    return KINDS[task].content(dataset, sets, infos)


def innermost(dataset: Any) -> Iterator[Any]:
    """A data set without its wrappers; of several that are joined, each."""
    if hasattr(dataset, 'datasets'):  # ConcatDataset
        for one in dataset.datasets:
            yield from innermost(one)
    elif hasattr(dataset, 'dataset'):  # RepeatDataset, ClassBalancedDataset ...
        yield from innermost(dataset.dataset)
    else:
        yield dataset
