"""How probable each class is for one picture, by any artefact or the model itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobileone_mm.artifact.card import IMAGE
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.tasks.classification.graph import PROBABILITIES
from mobileone_mm.tasks.largest_logit import Rules
from mobileone_mm.tasks.task import Size


@dataclass(frozen=True)
class Ranking:
    """How probable each class is.

    Attributes:
        probabilities: (C,) 0..1.
        known: whether it is what annotations say, and no guess.
    """

    probabilities: npt.NDArray[np.float64]
    known: bool = False

    @property
    def best(self) -> int:
        """The most probable class."""
        return int(self.probabilities.argmax())

    def order(self, count: int | None = None) -> list[int]:
        """So many classes, the most probable first; of an annotation, those that it names."""
        if self.known:
            count = int((self.probabilities > 0).sum())
        return [int(index) for index in np.argsort(-self.probabilities, kind='stable')[:count]]


def predict(runner: Runner, picture: Picture, rules: Rules) -> Ranking:
    """The ranking of an artifact for a picture of its input size.

    Raises:
        DataError: the picture is not what it takes.
    """
    return decode(runner.predict({IMAGE: picture}), rules)


def decode(outputs: Outputs, _rules: Rules) -> Ranking:
    """The ranking in outputs."""
    return Ranking(np.asarray(outputs[PROBABILITIES], np.float64).ravel())


def truth(_entry: Mapping[str, Any], data_sample: Any) -> Ranking | None:
    """The class of a picture; None where the data sample has none."""
    if 'gt_label' not in data_sample:
        return None
    labels = data_sample.gt_label.tolist()
    probabilities = np.zeros(1 + max(labels))
    probabilities[labels] = 1.0
    return Ranking(probabilities, known=True)


def for_person(found: Ranking, classes: Sequence[str], _size: Size) -> dict[str, float]:
    """The probability of each class by its name, the most probable first."""
    return {classes[index]: float(found.probabilities[index]) for index in found.order()}
