"""Pictures corrupted as those of ImageNet-C are: noise, blur, weather, and what cameras and files do."""

import inspect
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.pictures.reading import Picture, channels_swapped
from mobileone_mm.registry import TRANSFORMS

# By the folders that ImageNet-C's archives are named after.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    'noise': ('gaussian_noise', 'shot_noise', 'impulse_noise'),
    'blur': ('defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur'),
    'weather': ('snow', 'frost', 'fog', 'brightness'),
    'digital': ('contrast', 'elastic_transform', 'pixelate', 'jpeg_compression'),
}
CORRUPTIONS = tuple(name for names in FAMILIES.values() for name in names)
SEVERITIES = (1, 2, 3, 4, 5)
QUALITY = 85  # of the JPEG files that ImageNet-C is published as
INSTALL = "install it: pip install 'mobileone-mm[robustness]'"


def library() -> ModuleType:
    """Import imagecorruptions late: who reads pictures that are corrupted already needs none.

    Raises:
        DataError: it cannot be imported.
    """
    try:
        import imagecorruptions
    except ImportError as error:
        raise DataError(
            f'imagecorruptions, which corrupts the pictures, cannot be imported ({error}); {INSTALL}'
        ) from error
    module: ModuleType = imagecorruptions
    return module


@TRANSFORMS.register_module()
class Corrupt(BaseTransform):  # type: ignore[misc]  # mmcv is untyped
    """Corrupt a loaded picture, and store it as ImageNet-C was: as JPEG. To stand behind what resizes and crops.

    The same file at the same severity always gives the same picture. It is not, to the pixel, the published one: that
    was drawn with other random numbers, and its motion blur by ImageMagick.

    Args:
        name: one of `CORRUPTIONS`.
        severity: 1 (a little) to 5.

    Raises:
        ConfigError: there is no such corruption or severity.
    """

    def __init__(self, name: str, severity: int) -> None:
        if name not in CORRUPTIONS or severity not in SEVERITIES:
            raise ConfigError(
                f'Corrupt: name={name!r}, severity={severity!r} given, expected one of {", ".join(CORRUPTIONS)}, '
                f'and a severity of {SEVERITIES[0]} to {SEVERITIES[-1]}'
            )
        self.name, self.severity = name, severity

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Corrupt `img`, BGR uint8 (H, W, 3) of at least 32 pixels a side."""
        seed = zlib.crc32(f'{Path(results["img_path"]).name} {self.name} {self.severity}'.encode())
        corrupted = corrupt(channels_swapped(results['img']), self.name, self.severity, seed)
        return {**results, 'img': channels_swapped(corrupted)}


def corrupt(picture: Picture, name: str, severity: int, seed: int) -> Picture:
    """A corrupted copy of a picture (H, W, 3), read again from the JPEG that it was stored as.

    Raises:
        DataError: imagecorruptions cannot be imported.
    """
    module = library()
    function: Callable[..., Any] = getattr(module, name)
    own = {'seed': seed} if 'seed' in inspect.signature(function).parameters else {}  # else it takes NumPy's
    with _seeded(seed):
        corrupted = module.corrupt(picture, severity, name, **own)
    file = BytesIO()
    Image.fromarray(corrupted).save(file, 'JPEG', quality=QUALITY)
    with Image.open(file) as stored:
        return np.asarray(stored).copy()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """NumPy's own random numbers from a seed, and afterwards as they were."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
