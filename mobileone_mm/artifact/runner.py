"""What every opened artifact can do: the same names and shapes on every system."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy.typing as npt

Outputs = Mapping[str, npt.NDArray[Any]]  # by name


class Runner(Protocol):
    """Something that runs an exported model."""

    @property
    def inputs(self) -> Collection[str]:
        """Names of what it takes, the picture first."""

    def predict(self, inputs: Mapping[str, Any]) -> Outputs:
        """Outputs by name, from inputs by name: a picture is uint8 RGB (H, W, 3); thresholds may be left out.

        Raises:
            DataError: the inputs are not what it takes.
        """
