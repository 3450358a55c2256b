"""The one door to the onnx library, and to `.onnx` files as this project writes them (docs/onnx.md)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mobileone_mm.artifact.digest import digest_of, known_copy, within
from mobileone_mm.errors import ExportError, one_line

OPSET = 18  # the oldest that torch's exporter writes by itself; ONNX Runtime 1.17 reads up to 20
IR_VERSION = 8  # of the file format, which came with opset 18; ONNX Runtime 1.17 reads up to 9
TARGET = f'ONNX opset {OPSET}'  # what a file says about itself: what reads it,
FLOATS = 'float32'  # and the type of all that it holds and computes
INSTALL = "install it: pip install 'mobileone-mm[onnx]'"


def onnx() -> ModuleType:
    """Import onnx late: who exports to Core ML only needs none.

    Raises:
        ExportError: it cannot be imported.
    """
    try:
        import onnx
    except ImportError as error:
        raise ExportError(f'onnx cannot be imported ({error}); {INSTALL}') from error
    module: ModuleType = onnx
    return module


def file_digest(model: Any, metadata: Iterable[tuple[str, str]]) -> str:
    """The digest of a model (`onnx.ModelProto`) with these entries as its metadata.

    Its description (`doc_string`) and version are left out, and entries that nobody reads.

    Raises:
        ExportError: the model has fields that are not known here.
    """
    bare = known_copy(model)
    for name in ('metadata_props', 'doc_string', 'model_version'):
        bare.ClearField(name)
    return digest_of(bare, metadata)


def entries_of(model: Any) -> list[tuple[str, str]]:
    """The metadata of a model (`onnx.ModelProto`) as they stand there."""
    return [(entry.key, entry.value) for entry in model.metadata_props]


def metadata_of(model: Any) -> dict[str, str]:
    """The metadata of a model (`onnx.ModelProto`), by name."""
    return dict(entries_of(model))


def save_onnx(model: Any, metadata: Mapping[str, str], path: str | Path) -> None:
    """Write a model (`onnx.ModelProto`) with these entries as its metadata, once onnx finds it sound.

    Raises:
        ExportError: onnx finds a fault.
    """
    onnx().helper.set_model_props(model, dict(metadata))
    _require_sound(model)
    Path(path).write_bytes(model.SerializeToString(deterministic=True))


def read_onnx(path: str | Path) -> Any:
    """Read a `.onnx` file (`onnx.ModelProto`).

    Raises:
        ExportError: no such file, or it is no sound ONNX model that is whole by itself.
    """
    path = require_file(path)
    model = onnx().ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
        _require_sound(model)
    except Exception as error:  # whatever the reader raises is about this file
        raise ExportError(f'{path}: cannot be read as an ONNX model: {one_line(error)}') from error
    return model


def require_file(path: str | Path) -> Path:
    """Refuse a path where no file stands.

    Raises:
        ExportError: with the path.
    """
    path = Path(path)
    if not path.is_file():
        raise ExportError(f'{path}: no such file; expected a .onnx file as an export writes it')
    return path


def _require_sound(model: Any) -> None:
    library = onnx()
    # What is no UTF-8 comes as bytes.
    if not all(isinstance(word, str) for pair in entries_of(model) for word in pair):
        raise ExportError('its metadata are no text, it is damaged')
    if any(tensor.data_location == tensor.EXTERNAL for tensor in within(model, 'TensorProto')):
        raise ExportError('it keeps weights in other files, expected them in itself')
    try:
        library.checker.check_model(model, full_check=True)
    except (library.checker.ValidationError, library.shape_inference.InferenceError) as error:
        raise ExportError(f'not a sound ONNX model: {one_line(error)}') from error
    for constant in model.graph.initializer:
        try:
            library.numpy_helper.to_array(constant)
        except ValueError as error:  # its bytes do not fill its shape, which the checker does not look at
            raise ExportError(f'not a sound ONNX model: constant {constant.name}: {one_line(error)}') from error
