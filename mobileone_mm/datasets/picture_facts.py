"""What picture and mask files hold, each decoded once: what was found is kept in the user's cache folder.

A file is known again by its path, size and modification time. Nothing is written among the user's data. What is kept
are facts, not faults: other classes or another ignore index need no second look at the files, and a file that could
not be read is tried again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import MobileOneError
from mobileone_mm.pictures.decoding import JPEG, SIDEWAYS, UPRIGHT, decoded, no_file, reason

LOGGER = logging.getLogger(__name__)

FORMAT = 5  # of the kept facts; those of another are read anew
MOST_COLOURS = 300  # of one file; a mask has few, a photograph thousands
MOST_THREADS = 8  # Pillow decodes outside of Python's lock
INDEX_MODES = ('1', 'L', 'P', 'I', 'I;16', 'I;16B', 'I;16L')  # Pillow's, where a pixel is one whole number


@dataclass(frozen=True)
class Facts:
    """What a picture file holds.

    Attributes:
        width: in px; of an image, as training loads it: upright by its EXIF data.
        height: in px.
        mode: Pillow's name of the kind of pixels; empty where the file cannot be read.
        orientation: of an image, 1 to 8 by EXIF, 1 where nothing is turned or mirrored.
        opaque: false where an alpha channel hides something.
        values: of a mask, the ids that occur; where it holds colours, each as 0xRRGGBB, the most frequent first.
        pixels: of a mask, how often each value occurs.
        colours: of a mask, the colour of each value, as 0xRRGGBB.
        kinds: of a mask, number of values that occur, of which at most `MOST_COLOURS` are listed.
        fault: why it cannot be read, or empty.
        jpeg: of a mask, whether it is compressed by JPEG, which changes ids and colours where two meet.
    """

    width: int = 0
    height: int = 0
    mode: str = ''
    orientation: int = UPRIGHT
    opaque: bool = True
    values: tuple[int, ...] = ()
    pixels: tuple[int, ...] = ()
    colours: tuple[int, ...] = ()
    kinds: int = 0
    fault: str = ''
    jpeg: bool = False

    @property
    def holds_ids(self) -> bool:
        """Whether a pixel is one whole number."""
        return self.mode in INDEX_MODES

    @property
    def turned(self) -> bool:
        """Whether EXIF data turn an image on its side."""
        return self.orientation in SIDEWAYS

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height in px of what the file holds, whatever its EXIF data say."""
        return (self.height, self.width) if self.turned else (self.width, self.height)


def image_facts(path: str) -> Facts:
    """Look at an image, all of it: one that was cut short would end a training in the middle of an epoch."""
    try:
        seen = decoded(path)
    except ValueError as error:
        return Facts(fault=str(error))
    return Facts(*seen.size, seen.mode, seen.orientation)


def mask_facts(path: str) -> Facts:
    """Look at a mask: which ids or colours it holds, and how often each."""
    if fault := no_file(path):
        return Facts(fault=fault)
    try:
        with Image.open(path) as mask:
            return _mask_facts(mask)
    except Exception as error:
        return Facts(fault=reason(error))


def _mask_facts(mask: Image.Image) -> Facts:
    mask.load()
    width, height = mask.size
    if mask.mode in INDEX_MODES:
        values, pixels = np.unique(np.asarray(mask), return_counts=True)
        values = values.astype(np.int64)
        colours = _colours_of_ids(mask, values)
        opaque = True
    else:
        alpha = mask.getchannel('A').getextrema()[0] if 'A' in mask.getbands() else 255
        opaque = alpha == 255
        values, pixels = np.unique(packed(np.asarray(mask.convert('RGB'))), return_counts=True)
        order = np.argsort(-pixels, kind='stable')
        values, pixels = values[order], pixels[order]
        colours = values
    some = slice(MOST_COLOURS)
    listed, often, looks = (tuple(numbers[some].tolist()) for numbers in (values, pixels, colours))
    return Facts(width, height, mask.mode, UPRIGHT, opaque, listed, often, looks, len(values), jpeg=mask.format in JPEG)


def _colours_of_ids(mask: Image.Image, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    if mask.mode == 'P':
        table = np.zeros((256, 3), np.int64)
        palette = np.array(mask.getpalette('RGB') or [], np.int64).reshape(-1, 3)
        table[: len(palette)] = palette
        return packed(table[ids])
    grey = np.where(ids > 0, 255, 0) if mask.mode == '1' else ids.clip(0, 255)
    return packed(np.stack([grey] * 3, axis=-1))


def packed(rgb: NDArray[Any]) -> NDArray[np.int64]:
    """Colours (..., 3) as one number each, 0xRRGGBB (...)."""
    wide = rgb.astype(np.int64)
    found: NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return found


def look_at(images: Sequence[str], masks: Sequence[str], said: Callable[[str], None]) -> Mapping[str, Facts]:
    """The facts of image and mask files, by path; those that changed since the last time are read.

    Args:
        images: paths of images.
        masks: paths of masks.
        said: gets a line before a long work.
    """
    place = _cache_file([*images, *masks], 'masks' if masks else 'pictures')
    kept = _kept(place) if place else {}
    readers = {**dict.fromkeys(images, image_facts), **dict.fromkeys(masks, mask_facts)}
    stamps = {path: _stamp(path) for path in readers}
    found, new = {}, []
    for path in readers:
        entry = kept.get(_key(path, readers[path]))
        if entry and entry[0] == stamps[path]:
            found[path] = entry[1]
        else:
            new.append(path)
    if new:
        where = f'; the results are cached in {place}' if place else ''
        one, many = ('image or mask', 'images and masks') if masks else ('image', 'images')
        files = f'{len(new)} {one if len(new) == 1 else many}'
        said(f'checking {files} for faults{where}')
        with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
            found |= zip(new, threads.map(lambda path: readers[path](path), new), strict=True)
        if place:
            readable = [path for path in new if stamps[path] and not found[path].fault]
            _keep(place, {**kept, **{_key(path, readers[path]): (stamps[path], found[path]) for path in readable}})
    return found


Stamp = tuple[int, int] | None  # bytes, modification time in ns
Entry = tuple[Stamp, Facts]


def _key(path: str, reader: Callable[[str], Facts]) -> str:
    return f'{"mask" if reader is mask_facts else "image"} {os.path.abspath(path)}'


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _cache_file(paths: Iterable[str], kind: str) -> Path | None:
    """Where the facts of files in these folders are kept; None where there is no home folder."""
    folders = sorted({os.path.dirname(os.path.abspath(path)) for path in paths})
    name = hashlib.sha256('\n'.join(folders).encode('utf-8', 'surrogateescape')).hexdigest()[:16]
    root = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return Path(root, 'mobileone_mm', kind, f'{name}.json') if os.path.isabs(root) else None


def _kept(place: Path) -> dict[str, Entry]:
    """The kept facts; nothing of a file that is not there, not ours or damaged, which costs time and no more."""
    try:
        content = json.loads(place.read_text())
        if content['format'] != FORMAT:
            return {}
        return {key: ((int(size), int(time)), _facts(row)) for key, (size, time, row) in content['files'].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _facts(row: Sequence[Any]) -> Facts:
    """Facts from JSON.

    Raises:
        TypeError, ValueError: they are none.
    """
    width, height, mode, orientation, opaque, values, pixels, colours, kinds, fault, jpeg = row
    if not len(values) == len(pixels) == len(colours):
        raise ValueError('lists of different length')
    of_image = int(width), int(height), str(mode), int(orientation), bool(opaque)
    listed, often, looks = (tuple(map(int, numbers)) for numbers in (values, pixels, colours))
    return Facts(*of_image, listed, often, looks, int(kinds), str(fault), bool(jpeg))


def _keep(place: Path, entries: Mapping[str, Entry]) -> None:
    """Write the facts of files that are still there; that they cannot be kept costs time and no more."""
    files = {key: [*stamp, astuple(facts)] for key, (stamp, facts) in entries.items() if stamp}
    there = {key: row for key, row in files.items() if os.path.exists(key.partition(' ')[2])}
    try:
        with replacing(place) as fresh:
            fresh.write_text(json.dumps({'format': FORMAT, 'files': there}))
    except (OSError, MobileOneError) as error:
        LOGGER.info('what was found cannot be kept, and is looked for anew the next time: %s', error)
