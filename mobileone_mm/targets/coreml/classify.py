"""The last operation of a classifier's ML program: the most probable label, and a dictionary of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobileone_mm.artifact.inputs import Array
from mobileone_mm.errors import ExportError

CLASSIFY = 'classify'


@dataclass(frozen=True)
class Labels:
    """What `classify` makes of probabilities.

    Attributes:
        source: name of the probabilities, a tensor with as many numbers as there are labels.
        label: name of the most probable label.
        dictionary: name of the probability of each label.
        names: the labels, in the order of the probabilities.
    """

    source: str
    label: str
    dictionary: str
    names: tuple[str, ...]

    def __call__(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """The label, an array of one text, and the dictionary as its numbers (1, C) in the order of the labels."""
        probabilities = outputs[self.source].reshape(1, len(self.names))
        best = self.names[int(probabilities.argmax())]
        return {self.label: np.asarray(best), self.dictionary: probabilities}

    def as_numbers(self, found: Mapping[str, Any]) -> dict[str, Array]:
        """The same of what Core ML gives, whose dictionary is one."""
        return {
            self.label: np.asarray(found[self.label]),
            self.dictionary: np.array([[found[self.dictionary][name] for name in self.names]], np.float64),
        }


def classifies(main: Any) -> Sequence[Any]:
    """The operations of an ML program (`MIL_pb2.Block`) that choose a label."""
    return [operation for operation in main.operations if operation.type == CLASSIFY]


def read_labels(main: Any) -> Labels | None:
    """What an ML program (`MIL_pb2.Block`) does with its labels; None where it has none.

    Raises:
        ExportError: it does not choose a text once, at its end.
    """
    found = classifies(main)
    if not found:
        return None
    operation = main.operations[-1]
    outputs = [output.name for output in operation.outputs]
    if len(found) != 1 or operation.type != CLASSIFY or list(main.outputs) != outputs:
        raise ExportError(f'{len(found)} operations {CLASSIFY} in the ML program, expected one, which ends it')
    texts = [value.immediateValue.tensor.strings.values for value in _listed(operation)]
    if not texts or not all(len(text) == 1 for text in texts):
        raise ExportError(f'{CLASSIFY} has no list of texts as its labels')
    label, dictionary = outputs
    source = operation.inputs['probabilities'].arguments[0].name
    return Labels(source, label, dictionary, tuple(text[0] for text in texts))


def _listed(operation: Any) -> Sequence[Any]:
    values: Sequence[Any] = operation.inputs['classes'].arguments[0].value.immediateValue.list.values
    return values
