"""The one door to coremltools: imported late, and without its remarks."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from types import ModuleType

from mobileone_mm.errors import ExportError


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
            raise ExportError(
                f'coremltools cannot be imported ({error}); run: python -m mobileone_mm.doctor'
            ) from error
    module: ModuleType = coremltools
    return module


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
