"""Which part of a config an error came from: hosts say what is wrong, and rarely of which of its keys."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mobileone_mm.errors import ConfigError

Place = tuple[str | int, ...]  # keys from the top: ('model', 'neck'), ('train_dataloader', 'dataset', 'pipeline', 2)

# The functions of mmengine that make something of a part of a config, and what they call that part.
MAKERS = {'build_from_cfg': 'cfg', 'build_dataloader': 'dataloader'}
# Steps of mmengine's runner that read one key of a config.
READERS = {
    'setup_env': 'env_cfg',
    'set_randomness': 'randomness',
    'build_logger': 'log_level',
    'build_visualizer': 'visualizer',
    'build_optim_wrapper': 'optim_wrapper',
    'build_param_scheduler': 'param_scheduler',
    'build_log_processor': 'log_processor',
    'build_train_loop': 'train_cfg',
    'build_val_loop': 'val_cfg',
    'build_test_loop': 'test_cfg',
    'register_default_hooks': 'default_hooks',
    'register_custom_hooks': 'custom_hooks',
    'scale_lr': 'auto_scale_lr',
}
PARTS = ('train', 'val', 'test')


def place_of(config: Config, error: BaseException, within: str = '') -> str:
    """The innermost part of a config that was being made, or was at work, when an error came up: 'model.neck'.

    It is read off the error's traceback: what mmengine was building, by its values, and whose methods were running, by
    the names of their types and of the modules of the model. It is `within`, or a part of that; without it, empty where
    nothing of this config was at work.
    """
    around: Place = tuple(within.split('.')) if within else ()
    nodes = [(place, node) for place, node in _nodes(config.to_dict()) if place[: len(around)] == around]
    place = around
    root: nn.Module | None = None
    for frame in _frames(error):
        name, this = frame.f_code.co_name, frame.f_locals.get('self')
        found: Place | None = None
        if name in MAKERS:
            found = _by_values(nodes, frame.f_locals.get(MAKERS[name]), place)
        elif name in READERS and isinstance(this, Runner):
            found = (READERS[name],) if READERS[name] in config and not around else None
        elif isinstance(this, nn.Module) and hasattr(this, '_modules'):  # else it is only being made
            if type(this).__name__ == _kind(config.model):  # it may lie in another module, such as an export's graph
                root = root or this
            found = _of_module(nodes, root, this) if root else _by_type(nodes, type(this).__name__, ('model',))
        elif this is not None:
            found = _by_type(nodes, type(this).__name__, place)
        place = found or place
    return '.'.join(map(str, place))


@contextmanager
def naming(config: Config, within: str = '') -> Iterator[None]:
    """Put the file in front of an error about a config that names none, and the part that was being made likewise.

    Args:
        config: the config.
        within: as of `place_of`.
    """
    try:
        yield
    except ConfigError as error:
        file, text = str(config.filename), str(error)
        if text.startswith(file):
            raise
        place = '' if text.split('.')[0] in config else place_of(config, error, within)  # it names a part itself
        raise ConfigError(': '.join(filter(None, [file, place, text]))) from error


def _frames(error: BaseException | None) -> Iterator[FrameType]:
    """The calls that led to an error, outermost first, those of the errors that it came from last."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from (frame for frame, _ in traceback.walk_tb(error.__traceback__))
        error = error.__cause__ or error.__context__


def _nodes(value: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every part that is a dict, with its place."""
    if isinstance(value, Mapping):
        yield place, value
        for key, one in value.items():
            yield from _nodes(one, (*place, key))
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _nodes(one, (*place, index))


def _by_values(nodes: list[tuple[Place, Mapping[str, Any]]], given: Any, near: Place) -> Place | None:
    """The part that has the type and most of the values of what is given; of several, one inside `near`."""
    if not isinstance(given, Mapping):
        return None
    kind = _kind(given)
    best, most = None, 0.0
    for place, node in nodes:
        if not place or _kind(node) != kind:
            continue
        same = sum(key in node and _equal(node[key], value) for key, value in given.items())
        score = same + 0.5 * (place[: len(near)] == near)
        if same and score > most:
            best, most = place, score
    return best


def _by_type(nodes: list[tuple[Place, Mapping[str, Any]]], name: str, near: Place) -> Place | None:
    """The first part of a type; rather one inside `near`, or of the same of training, validation and test."""
    places = [place for place, node in nodes if _kind(node) == name]
    part = next((part for part in PARTS if near and str(near[0]).startswith(f'{part}_')), '')
    places.sort(key=lambda place: (place[: len(near)] != near, not str(place[0]).startswith(f'{part}_')))
    return places[0] if places else None


def _of_module(nodes: list[tuple[Place, Mapping[str, Any]]], root: nn.Module, module: nn.Module) -> Place | None:
    """The part of `model` that a module is of: its name in the model, as far as the config has such keys."""
    name = next((name for name, one in root.named_modules() if one is module), None)
    if name is None:
        return None
    known: set[Place] = {place for place, _ in nodes}
    place: Place = ('model',)
    for key in name.split('.'):
        if (*place, key) not in known:
            break
        place = (*place, key)
    return place if place in known else None


def _kind(node: Mapping[str, Any]) -> str:
    """The name of a part's type, without scope or module, however it is written; empty where it has none."""
    given = node.get('type', '')
    return str(getattr(given, '__name__', given)).rpartition('.')[2]


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # of arrays, for example
        return False
