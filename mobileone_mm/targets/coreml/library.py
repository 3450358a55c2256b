"""The one door to coremltools: imported late, and without its remarks."""

import contextlib
import io
import logging
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mobileone_mm.errors import ExportError, one_line
from mobileone_mm.rooms import no_space, scratch

INSTALL = "install it: pip install 'mobileone-mm[export]'"
COMPRESSED = 'constexpr_'  # what operations that unpack a constant are called


def coremltools() -> ModuleType:
    """Import coremltools without its remarks.

    On Linux it logs nine lines about Core ML not being there, and one about each library newer than its last test; the
    checks of this package take their place.

    Raises:
        ExportError: it cannot be imported.
    """
    with _warnings_off():
        try:
            import coremltools
        except ImportError as error:
            raise ExportError(f'coremltools cannot be imported ({error}); {INSTALL}') from error
    module: ModuleType = coremltools
    return module


def compression() -> ModuleType:
    """coremltools' functions that compress the weights of an ML program."""
    coremltools()  # its remarks come with its first import
    with silent():
        from coremltools.optimize import coreml
    module: ModuleType = coreml
    return module


def constants_of(spec: Any, weights: Path) -> dict[str, Any]:
    """Read the constants of an ML program (`Model_pb2.Model`) by name, compressed ones unpacked.

    Raises:
        ExportError: the program cannot be read, or its weights in the folder `weights`.
    """
    coremltools()  # its remarks come with its first import
    from coremltools.converters.mil.frontend.milproto.load import load

    try:
        with silent():
            (function,) = load(spec, spec.specificationVersion, str(weights)).functions.values()
    except Exception as error:  # whatever the reader raises is about this file
        raise ExportError(f'the program cannot be read: {one_line(error)}') from error
    constants = {}
    for operation in function.operations:
        if operation.op_type == 'const':
            constants[operation.outputs[0].name] = operation.outputs[0].val
        elif operation.op_type.startswith(COMPRESSED):
            constants[operation.outputs[0].name] = operation.materialized_val_inference()
    return constants


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """Yield a temporary folder, which is removed with whatever is left in there.

    Raises:
        ExportError: something failed in the block, and the disk with the temporary folder is full.
    """
    temporary = tempfile.gettempdir()
    with scratch(Path(temporary) / 'mobileone_mm') as folder:
        try:
            yield folder
        except BaseException as error:
            # coremltools takes a full disk for many other things.
            reason = no_space(folder) if isinstance(error, (ExportError, OSError, RuntimeError)) else None
            with silent():
                _drop_locals(error)
            if reason is None:
                raise
            raise ExportError(
                f'temporary folder {temporary}: {reason}; make room there, or name another: TMPDIR=FOLDER'
            ) from error


def _drop_locals(error: BaseException | None) -> None:
    """Let go of the temporary files that the frames of an error hold, while their folder still stands."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def save(spec: Any, weights: str, path: Path) -> None:
    """Save a model (`Model_pb2.Model`) with the folder of its weights as a package, as readable as the umask lets it.

    coremltools copies parts of it from temporary files, which nobody else may read.
    """
    coremltools().utils.save_spec(spec, str(path), weights_dir=weights)
    mode = (path / 'Manifest.json').stat().st_mode & 0o777
    for part in path.rglob('*'):
        part.chmod(mode | (mode & 0o444) >> 2 if part.is_dir() else mode)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep the converter quiet: it draws four progress bars on stderr, which have no switch, and logs advice."""
    with _warnings_off(), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        # It calls its own deprecated functions, and leaves its temporary folders to the garbage collector.
        warnings.filterwarnings('ignore', category=DeprecationWarning, module='coremltools')
        warnings.filterwarnings('ignore', 'Implicitly cleaning up', ResourceWarning)
        yield


@contextlib.contextmanager
def _warnings_off() -> Iterator[None]:
    logger = logging.getLogger('coremltools')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
