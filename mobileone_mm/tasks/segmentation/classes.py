"""The class of each pixel of one picture, by any artefact or the model itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.artifact.inputs import Array, Picture
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.tasks.largest_logit import Rules
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP
from mobileone_mm.tasks.task import Size

IGNORED = 255  # in a mask: a pixel that is not judged, as mmseg pads with it


@dataclass(frozen=True)
class ClassMap:
    """The class of each pixel.

    Attributes:
        classes: (H, W) int32, index of the class; in a mask also `IGNORED`.
    """

    classes: npt.NDArray[np.int32]

    def at(self, size: Size) -> npt.NDArray[np.int32]:
        """The map of a picture of `size` (width, height): each pixel has the class of the nearest one."""
        width, height = size
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in ((height, self.classes.shape[0]), (width, self.classes.shape[1]))
        )
        found: npt.NDArray[np.int32] = self.classes[rows[:, None], columns]
        return found


def predict(runner: Runner, picture: Picture, rules: Rules) -> ClassMap:
    """The class map of an artifact for a picture of its input size.

    Raises:
        DataError: the picture is not what it takes.
    """
    return decode(runner.predict({IMAGE: picture}), rules)


def decode(outputs: Outputs, _rules: Rules) -> ClassMap:
    """The class map in outputs."""
    return ClassMap(np.asarray(outputs[CLASS_MAP]).astype(np.int32))


def truth(_entry: Mapping[str, Any], data_sample: Any) -> ClassMap | None:
    """The mask of a picture; None where the data sample has none."""
    if 'gt_sem_seg' not in data_sample:
        return None
    mask: Array = data_sample.gt_sem_seg.data[0].numpy()
    return ClassMap(mask.astype(np.int32))


def for_person(found: ClassMap, _classes: Sequence[str], size: Size) -> npt.NDArray[np.int32]:
    """The class of each pixel (H, W) of a picture of `size`."""
    return found.at(size)
