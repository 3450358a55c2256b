"""Tiny torch modules as ML programs, for tests of what executes them, and packages that were changed on purpose."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from mobileone_mm.artifact import digest
from mobileone_mm.targets.coreml.interpreter import Interpreter, open_interpreter
from mobileone_mm.targets.coreml.library import coremltools, silent
from mobileone_mm.targets.coreml.package import MODEL, WEIGHTS, open_package, package_digest
from mobileone_mm.targets.onnx.file import file_digest, metadata_of


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def convert(
    module: nn.Module, inputs: Sequence[Tensor], target: str = 'iOS16', image: dict[str, Any] | None = None
) -> Any:
    """A module as an ML program in float16: arrays a, b, ... in, or one picture `image` of these options; `out` out."""
    ct = coremltools()
    with torch.no_grad():
        program = torch.export.export(module.eval(), tuple(inputs)).run_decompositions({})
    arrays = [ct.TensorType(name=chr(ord('a') + index), shape=x.shape) for index, x in enumerate(inputs)]
    with silent():
        return ct.convert(
            program,
            convert_to='mlprogram',
            inputs=arrays if image is None else [ct.ImageType(name='image', shape=inputs[0].shape, **image)],
            outputs=[ct.TensorType(name='out', dtype=np.float32)],
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )


def saved(model: Any, folder: Path) -> Interpreter:
    """The model, saved and opened again."""
    model.save(str(folder / 'tiny.mlpackage'))
    return open_interpreter(open_package(folder / 'tiny.mlpackage'))


def changed(package: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """A copy `copy.mlpackage` in a folder, as if it had been exported with this change of its `Model_pb2.Model`."""
    copy = shutil.copytree(package, folder / 'copy.mlpackage')
    change_spec(copy, change)
    return copy


def change_spec(package: Path, change: Callable[[Any], None]) -> None:
    """Change a package's specification (`Model_pb2.Model`) in place, and its digest with it."""
    spec = open_package(package).spec
    change(spec)
    metadata = spec.description.metadata.userDefined
    if digest.KEY in metadata:
        metadata.update(digest.entry(package_digest(spec, package / WEIGHTS)))
    (package / MODEL).write_bytes(spec.SerializeToString())


def save_changed_onnx(model: Any, path: Path) -> None:
    """Write a changed model (`onnx.ModelProto`) with its digest, as if it had been exported so."""
    metadata = metadata_of(model)
    onnx.helper.set_model_props(model, metadata | digest.entry(file_digest(model, metadata.items())))
    onnx.save(model, path)


def operations_of(spec: Any) -> Any:
    """The operations of a detector package's ML program."""
    (block,) = spec.pipeline.models[0].mlProgram.functions['main'].block_specializations.values()
    return block.operations
