"""Which kind of file a path names: by the ending of its name, once links are followed."""

from pathlib import Path

PACKAGE = '.mlpackage'  # a Core ML package, which is a folder
ONNX = '.onnx'
CHECKPOINT = '.pth'
CONFIG = '.py'

ARTIFACTS = (PACKAGE, ONNX)  # what an export writes


def ending_of(path: str | Path) -> str:
    """The ending that says which kind of file a path names; a link may be called anything."""
    return Path(path).resolve().suffix


def is_artifact(path: str | Path) -> bool:
    """Whether a path names a file that an export writes."""
    return ending_of(path) in ARTIFACTS


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob('*') if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
