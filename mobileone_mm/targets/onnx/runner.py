"""Runs an ONNX model in ONNX Runtime: the names, shapes and checks of a package's interpreter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mobileone_mm.artifact.inputs import CHANNELS, Array, as_planes, checked_number, checked_picture, require_names
from mobileone_mm.artifact.runner import Outputs
from mobileone_mm.errors import DataError, ExportError, one_line
from mobileone_mm.targets.onnx.file import INSTALL

THREADS = 1  # of ONNX Runtime: on two busy cores, an S0 detector takes 24 ms a picture with one, 52 ms with two
SILENT = 4  # its log level: errors are raised, and a number that may be left out is nothing to warn of

Numbers = Mapping[
    str, Callable[[float], np.float32]
]  # inputs that are one number, by name, and what float32 they become


@dataclass(frozen=True)
class OnnxRunner:
    """An ONNX model that ONNX Runtime runs.

    Attributes:
        path: the file.
        arguments: what it takes (`onnxruntime.NodeArg`), the picture first.
        outputs: names of what it gives.
        numbers: the inputs that are one number, 0..1.
        session: `onnxruntime.InferenceSession`.
    """

    path: Path
    arguments: Sequence[Any]
    outputs: Sequence[str]
    numbers: Numbers
    session: Any

    @property
    def inputs(self) -> list[str]:
        """Names of what it takes."""
        return [argument.name for argument in self.arguments]

    def predict(self, inputs: Mapping[str, Any]) -> Outputs:
        """What the model gives: the picture is uint8 RGB (H, W, 3); numbers may be left out.

        Raises:
            DataError: the inputs are not what the model takes.
            ExportError: ONNX Runtime fails, as it does for a file that was changed.
        """
        known = {argument.name: argument for argument in self.arguments}
        require_names(inputs, known, {name for name, argument in known.items() if not argument.shape})
        given = {name: self._checked(known[name], np.asarray(value)) for name, value in inputs.items()}
        try:
            found = self.session.run(self.outputs, given)
        except Exception as error:  # its errors have no class in common
            raise ExportError(f'{self.path}: ONNX Runtime cannot run it: {one_line(error)}') from error
        return dict(zip(self.outputs, found, strict=True))

    def _checked(self, argument: Any, value: Array) -> Array:
        if argument.name not in self.numbers:
            height, width = argument.shape[2:]
            return as_planes(checked_picture(argument.name, value, width, height))
        number = float(checked_number(argument.name, value))
        if not 0 <= number <= 1:
            raise DataError(f'{argument.name}: {number:g} given, expected 0..1')
        return np.asarray(self.numbers[argument.name](number))


def open_in_runtime(path: Path, model: Any, numbers: Numbers) -> OnnxRunner:
    """Load a model (`onnx.ModelProto`), read from `path`, on the CPU.

    Raises:
        ExportError: ONNX Runtime refuses it, or it takes what nobody here can give.
    """
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = SILENT
    try:
        # Without fallback: there is nothing to fall back to, and it prints that it does.
        session = runtime.InferenceSession(
            model.SerializeToString(), options, providers=['CPUExecutionProvider'], enable_fallback=False
        )
        arguments = [*session.get_inputs(), *session.get_overridable_initializers()]
        outputs = [output.name for output in session.get_outputs()]
    except Exception as error:  # its errors have no class in common
        raise ExportError(f'{path}: ONNX Runtime cannot open it: {one_line(error)}') from error
    for argument in arguments:
        if argument.type != 'tensor(float)' or not (_is_picture(argument) or argument.name in numbers):
            raise ExportError(
                f'{path}: input {argument.name} is {argument.type} of shape {argument.shape}, expected a picture, '
                f'tensor(float) of shape [1, 3, height, width]{"".join(f", or {name}" for name in numbers)}'
            )
    return OnnxRunner(path, arguments, outputs, numbers, session)


def onnxruntime() -> ModuleType:
    """Import ONNX Runtime late: who exports to Core ML only needs none.

    Raises:
        ExportError: it cannot be imported.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(f'onnxruntime cannot be imported ({error}); {INSTALL}') from error
    module: ModuleType = onnxruntime
    return module


def _is_picture(argument: Any) -> bool:
    """Whether it is (1, 3, H, W) with all sizes fixed; one that is not is a name, or None."""
    shape = argument.shape
    return len(shape) == 4 and shape[:2] == [1, CHANNELS] and all(isinstance(size, int) for size in shape[2:])
