"""The configs that come with this package, by name, wherever it is installed."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from mobileone_mm.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
# A wheel holds them where OpenMMLab's tools look; a clone, which editable installs run in, at its root.
FOLDERS = PACKAGE / '.mim/configs', PACKAGE.parent / 'configs'
BASES = '_base_'  # the folder of the parts that configs are made of


def shipped() -> Mapping[str, Path]:
    """Every config that can be trained, by its name without `.py`."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    files = sorted(folder.glob('*/*.py')) if folder else []
    return {file.stem: file for file in files if file.parent.name != BASES}


def config(name: str) -> str:
    """The absolute path of a shipped config, for the `_base_` of a config that lies anywhere.

        _base_ = __import__('mobileone_mm').config('ssd_mobileone_s2')

    mmengine evaluates that line when it reads the file. Its own `package::config` serves OpenMMLab's packages alone.

    Args:
        name: with or without `.py`, also with its folder: `detection/ssd_mobileone_s2.py`.

    Raises:
        ConfigError: no shipped config has that name.
    """
    found = _by_name(name)
    if found is None:
        raise ConfigError(f'{name}: no shipped config of that name{_nearest(name)}')
    return str(found)


def find_config(word: str | Path) -> Path:
    """The config that a user means by a word: a file of theirs, else a shipped config by name.

    Raises:
        ConfigError: it is neither.
    """
    path = Path(word)
    if path.is_file():
        return path
    found = _by_name(word)
    if found is None and path.exists():
        what = 'a folder' if path.is_dir() else 'no regular file'
        raise ConfigError(f'{path}: {what}, expected a config file, or the name of a shipped one')
    if found is None:
        raise ConfigError(f'{word}: no such config file, and no shipped config of that name{_nearest(word)}')
    return found


def is_shipped(word: str | Path) -> bool:
    """Whether a word names a shipped config."""
    return _by_name(word) is not None


def _by_name(word: str | Path) -> Path | None:
    """The shipped config whose path ends in what was given, with or without `.py`."""
    asked = Path(word)
    found = shipped().get(asked.name.removesuffix('.py'))
    if found is None:
        return None
    ends = '/'.join(('', *asked.with_name(found.name).parts))
    return found if found.as_posix().endswith(ends) else None


def _nearest(word: str | Path) -> str:
    names = shipped()
    if near := get_close_matches(Path(word).name.removesuffix('.py'), names):
        return f'; did you mean {" or ".join(near)}?'
    return f'; there are {", ".join(names)}'
