"""Configs, and the OpenMMLab package behind one: which it is, and its model built without weights."""

import copy
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mobileone_mm.errors import ConfigError, MobileOneError, one_line, printable
from mobileone_mm.openmmlab.log import COLOURS
from mobileone_mm.openmmlab.own_config import require_input_size
from mobileone_mm.openmmlab.places import place_of
from mobileone_mm.openmmlab.plain_config import PlainConfig, plain_config
from mobileone_mm.openmmlab.shipped import find_config

# Of hosts' models, besides numbers and the like.
MODEL_PARTS = (
    *('data_preprocessor', 'backbone', 'neck', 'head', 'bbox_head', 'decode_head', 'auxiliary_head'),
    *('train_cfg', 'test_cfg', 'init_cfg'),
)
TASKS = {'mmdet': 'detection', 'mmseg': 'segmentation', 'mmpretrain': 'classification'}
HOST_MODULES = r'(mmdet|mmseg|mmpretrain|mmengine|mmcv)\.'
PACKAGES = {'mmdet': 'mmdet', 'mmseg': 'mmsegmentation', 'mmpretrain': 'mmpretrain'}


def load_config(path: str | Path) -> PlainConfig:
    """Read a config file, or a shipped config by its name.

    Raises:
        ConfigError: no such file and no such name, not Python, a missing `_base_`, an input size that is none, no
            model or one with parts that are no dict, or a `default_scope` that we do not know.
    """
    path = find_config(path)
    require_input_size(path)
    try:
        # mmengine tells formats by the ending of a name, and a link may be called anything.
        config = plain_config(Config.fromfile(path if path.suffix == '.py' else Path(os.path.realpath(path))))
    except Exception as error:  # Config.fromfile runs the file: whatever it raises is the user's to read
        raise ConfigError(f'{path}: cannot be read as a config: {error}') from error
    if 'model' not in config:
        raise ConfigError(f'{path}: this config has no `model`; expected a full mmdet, mmseg or mmpretrain config')
    _require_parts(config)
    task_of(config)
    return config


def _require_parts(config: Config) -> None:
    """Refuse a model whose parts are no parts, before anything looks something up in them.

    Raises:
        ConfigError: one is neither a dict nor None, nor, of heads and necks, a list of those.
    """
    model = config.model
    parts = {'model': model}
    if isinstance(model, Mapping):
        parts |= {f'model.{name}': model[name] for name in MODEL_PARTS if name in model}
    for name, part in parts.items():
        for one in part if isinstance(part, list) and part is not model else [part]:
            if one is not None and not isinstance(one, Mapping):
                raise ConfigError(f'{config.filename}: {name} holds a {type(one).__name__}, expected a dict')


def task_of(config: Config) -> str:
    """'detection', 'segmentation' or 'classification': what the models of the config's host are for.

    Raises:
        ConfigError: its `default_scope` is none that we know.
    """
    scope = config.get('default_scope')
    if scope not in TASKS:
        raise ConfigError(f'{config.filename}: default_scope is {scope!r}; expected one of {", ".join(TASKS)}')
    return TASKS[scope]


def build_model(config: Config) -> nn.Module:
    """Build the config's model with fresh weights, in eval mode; nothing is downloaded or loaded.

    Raises:
        ConfigError: the mm package is not installed, or it cannot build the model.
    """
    enter_scope(config)
    try:
        with quiet():
            # Hosts write into what they are given.
            model: nn.Module = MODELS.build(copy.deepcopy(config.model))
    except Exception as error:
        raise ConfigError(
            f'{config.filename}: {PACKAGES[config.default_scope]} cannot build {place_of(config, error, "model")}: '
            f'{one_line(error)}'
        ) from error
    return model.eval()


@contextmanager
def running(config: Config) -> Iterator[None]:
    """While the config's model runs: say of which part of it an error comes.

    Raises:
        ConfigError: a part that was built cannot work, such as a head for other channels than it is given.
    """
    try:
        yield
    except (MobileOneError, OSError):
        raise
    except Exception as error:  # of many kinds
        place = place_of(config, error)
        if not place:
            raise
        raise ConfigError(
            f'{config.filename}: {PACKAGES[config.default_scope]} cannot run {place}: '
            f'{type(error).__name__}: {one_line(error)}'
        ) from error


def enter_scope(config: Config) -> None:
    """Make the config's mm package the one whose types are looked up first.

    Raises:
        ConfigError: it cannot be imported.
    """
    scope = config.default_scope
    try:
        __import__(scope)
    except ImportError as error:
        raise ConfigError(
            f'{config.filename}: needs {PACKAGES[scope]}, which cannot be imported ({error}); '
            'run: python -m mobileone_mm.doctor'
        ) from error
    init_default_scope(scope)


@contextmanager
def quiet(least: int = logging.WARNING) -> Iterator[None]:
    """Keep stdout for results: what hosts print is dropped, what they log from `least` upwards is a line on stderr.

    Their Python warnings are dropped too: they are about code, and none that the user wrote.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    plain = [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]
    before = [(handler.stream, handler.formatter) for handler in plain]
    for handler in plain:
        handler.setStream(sys.stderr)
        handler.setFormatter(_Line())
    logger.setLevel(least)
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.filterwarnings('ignore', module=HOST_MODULES)
            yield
    finally:
        logger.setLevel(level)
        for handler, (stream, formatter) in zip(plain, before, strict=True):
            handler.setStream(stream)
            handler.setFormatter(formatter)


class _Line(logging.Formatter):
    """As all else that is said on the screen: without time and logger, which log files have."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        return printable(f'{prefix}{COLOURS.sub("", super().format(record))}', kept='\n\t')
