"""The config that a checkpoint was trained with, which mm tools write into it as text, against the one that is given.

A config is code. This one is read and never executed: names, numbers, texts, and `dict`, lists and tuples of them, as
mmengine writes a config that it has resolved.
"""

import ast
import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, TASK_UTILS

from mobileone_mm.errors import CheckpointError, ConfigError, printable, shown
from mobileone_mm.openmmlab.classes import class_names, listed, require_same_classes
from mobileone_mm.openmmlab.test_data import test_dataset
from mobileone_mm.weights.checkpoint import Checkpoint

LONGEST = 2_000_000  # characters of a config that is read; that of a COCO model has some 20,000
SHOWN = 100  # characters of a value in a message
MODEL, PREPROCESSOR = 'model', 'data_preprocessor'
CURE = 'give the config it was trained with, or `config_wins` where yours is meant'

# What may differ: it is for training alone, says where the training began, or is the user's to choose afterwards.
FREE = re.compile(
    r'_.*|init_cfg|pretrained|train_cfg|test_cfg|teachers|hard_label_weight|loss.*|.*_loss|with_cp|norm_eval|train_impl|'
    r'frozen_stages|drop.*|.*_drop|auxiliary_head|sampler|ignore_index|cal_acc|topk|momentum|requires_grad|inplace|'
    # of a data preprocessor: how pictures of one batch are brought to one size, and labels to tensors
    r'batch_augments|pad_.*|seg_pad_val|mask_pad_val|bgr_to_rgb_mask|size|size_divisor|boxtype2tensor|non_blocking|to_onehot'
)
UNFUSED = re.compile('norm_cfg|deploy|num_conv_branches')  # of which a fused file has nothing left
# They compute the same once they are trained.
SAME_TYPES = {'SyncBN': 'BN', 'MMSyncBN': 'BN', 'BN2d': 'BN', 'DistilledClassifier': 'ImageClassifier'}


class _Unread:
    """Stands for a value that is no plain data; it is equal to any other."""


MISSING, UNREAD = object(), _Unread()


@dataclass(frozen=True)
class Difference:
    """A key of a model that two configs set otherwise; `MISSING` where one does not."""

    key: str
    trained: Any
    given: Any


def require_trained_with(config: Config, source: Checkpoint) -> None:
    """Refuse a config of other classes, or of another model, than a checkpoint says that it was trained with.

    Args:
        config: the one that is given, in whose scope types are looked up.
        source: the checkpoint; nothing is asked of one that says nothing.

    Raises:
        CheckpointError: with both lists of classes, or with what differs in the model, key by key.
    """
    trained = read_config(source.meta.get('cfg'))
    names, expected = _two_lists(config, trained, source)
    of_file, of_config = f'{source.path}: trained on the classes', f'{config.filename} names'
    require_same_classes((of_file, names), (of_config, expected), CURE, CheckpointError)
    if found := _in_words(config, trained, source):
        raise CheckpointError(f'{source.path}: trained with another config than {config.filename}: {found}; {CURE}')


def differences_from(config: Config, source: Checkpoint) -> str:
    """What a config says otherwise than a checkpoint, in words; empty where nothing is known to differ."""
    trained = read_config(source.meta.get('cfg'))
    names, expected = _two_lists(config, trained, source)
    classes = f'the classes are {listed(names)} there, {listed(expected)} here' if names != expected else ''
    return '; '.join(filter(None, [classes, _in_words(config, trained, source)]))


def _two_lists(config: Config, trained: Mapping[str, Any], source: Checkpoint) -> tuple[Sequence[str], Sequence[str]]:
    """The classes of a checkpoint and of a config; twice the same where one of them tells none."""
    names = tuple(source.classes or _classes(trained))
    if not names:
        return (), ()
    try:
        return names, class_names(config, names)
    except ConfigError:  # no test data
        return (), ()


def _in_words(config: Config, trained: Mapping[str, Any], source: Checkpoint) -> str:
    """What differs in the model."""
    if MODEL not in trained:
        return ''
    sides = _model_of(trained), _model_of(config.to_dict())
    found = list(_differences(*sides, MODEL, source.form == 'fused'))
    return shown((f'{one.key} is {_said(one.trained)} there, {_said(one.given)} here' for one in found), '; ')


def read_config(text: Any) -> dict[str, Any]:
    """The variables of a config that mmengine wrote as text; none where it cannot be read."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return {}
    try:
        lines = ast.parse(text).body
        return {
            line.targets[0].id: _value(line.value)
            for line in lines
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
        }
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return {}


def _value(node: ast.expr) -> Any:
    """The value of plain data; `UNREAD` for anything else."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            named = zip(keys, values, strict=True)
            return {key.value: _value(value) for key, value in named if isinstance(key, ast.Constant)}
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords):
            return {one.arg: _value(one.value) for one in keywords if one.arg is not None}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand)
            return -value if isinstance(value, int | float) else UNREAD
        case ast.Name(id='inf' | 'nan' as name):
            return float(name)
        case _:
            return UNREAD


def _model_of(variables: Mapping[str, Any]) -> Any:
    """The model of a config; a data preprocessor beside it belongs to it, as mmengine's runner takes it."""
    model = variables.get(MODEL)
    if isinstance(model, Mapping) and not model.get(PREPROCESSOR) and variables.get(PREPROCESSOR):
        return {**model, PREPROCESSOR: variables[PREPROCESSOR]}
    return model


def _classes(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that a config itself names for its test data."""
    metainfo = (test_dataset(variables) or {}).get('metainfo')
    classes = metainfo.get('classes') if isinstance(metainfo, Mapping) else None
    classes = [classes] if isinstance(classes, str) else classes
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        return ()
    return tuple(classes)


def _differences(trained: Any, given: Any, key: str, fused: bool) -> Iterator[Difference]:
    if isinstance(trained, Mapping) and isinstance(given, Mapping):
        yield from _in_both(trained, given, key, fused)
    elif isinstance(trained, list | tuple) and isinstance(given, list | tuple) and len(trained) == len(given):
        for index, (one, other) in enumerate(zip(trained, given, strict=True)):
            if isinstance(one, Mapping) and isinstance(other, Mapping):
                yield from _in_both(one, other, f'{key}[{index}]', fused)
            elif not _same(one, other):
                yield Difference(key, trained, given)
                return
    elif not _same(trained, given):
        yield Difference(key, trained, given)


def _in_both(trained: Mapping[str, Any], given: Mapping[str, Any], key: str, fused: bool) -> Iterator[Difference]:
    kinds = [_kind(one.get('type', MISSING)) for one in (trained, given)]
    if MISSING not in kinds and not _same(*kinds):
        yield Difference(f'{key}.type', *kinds)
        return
    for name in (*trained, *(name for name in given if name not in trained)):
        if name == 'type' or FREE.fullmatch(str(name)) or (fused and UNFUSED.fullmatch(str(name))):
            continue
        if PREPROCESSOR in key and name == 'num_classes':  # it makes one-hot labels of it
            continue
        # Of the given config alone, whose types were imported already: looking one up may import what it names.
        default = MISSING if name in trained and name in given else _default(given.get('type'), name)
        one, other = trained.get(name, default), given.get(name, default)
        yield from _differences(one, other, f'{key}.{name}', fused)


def _same(one: Any, other: Any) -> bool:
    if one is UNREAD or other is UNREAD:
        return True
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    # Without a default, nothing is what None says.
    one, other = (None if side is MISSING else side for side in (one, other))
    return bool(one == other) or (_is_nan(one) and _is_nan(other))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _kind(named: Any) -> Any:
    """The name of a type, however a config writes it: with its scope or its module, or as the class itself."""
    if named is MISSING or named is UNREAD:
        return named
    name = str(getattr(named, '__name__', named)).rpartition('.')[2]
    return SAME_TYPES.get(name, name)


def _default(kind: Any, name: str) -> Any:
    """What a type takes for an argument that a config does not give; `MISSING` where that cannot be told."""
    for registry in (MODELS, TASK_UTILS):
        with registry.switch_scope_and_registry(None) as scoped:  # that of the config whose model was built
            found = scoped.get(kind) if isinstance(kind, str) else kind
        for one in inspect.getmro(found) if inspect.isclass(found) else ():
            try:
                parameter = inspect.signature(vars(one).get('__init__', one)).parameters.get(name)
            except ValueError:  # written in C
                continue
            if parameter is not None:
                return MISSING if parameter.default is parameter.empty else parameter.default
    return MISSING


def _said(value: Any) -> str:
    text = 'not set' if value is MISSING else printable(repr(value))
    return text if len(text) <= SHOWN else f'{text[:SHOWN]}...'
