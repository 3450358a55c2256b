"""The data sets that a config names, out of whatever is wrapped around them; their files and their classes' names."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.config import Config

from mobileone_mm.errors import ConfigError, DataError, is_plain, shown

SECTIONS: Mapping[str, str] = {  # of docs/own_data.md, by the kind of a data set
    'mobileone_mm.CocoDataset': 'Boxes',
    'mobileone_mm.VOCDataset': 'Boxes',
    'mobileone_mm.MaskDataset': 'Masks',
    'mobileone_mm.ClassFolderDataset': 'Class folders',
}
PACKERS = {'mmdet': 'PackDetInputs', 'mmseg': 'PackSegInputs', 'mmpretrain': 'PackInputs'}
PACKED = ('inputs', 'data_samples')  # what a model takes
META_KEYS = {  # what hosts look up in a sample that is predicted and scored
    'mmdet': ('img_id', 'img_shape', 'ori_shape', 'scale_factor'),
    'mmseg': ('img_shape', 'ori_shape'),
    'mmpretrain': (),
}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def sets_of(config: Config, loader: str) -> Iterator[tuple[str, Any]]:
    """The data sets of a loader, each with its place in the config: 'train_dataloader.dataset.datasets.0'.

    None where the config does not have that loader.
    """
    given = config.get(loader)
    if isinstance(given, Mapping):
        yield from _innermost(f'{loader}.dataset', given.get('dataset'))


def _innermost(place: str, given: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(given, Mapping):  # a data set that is built already has nothing to be looked up or changed
        return
    if isinstance(given.get('datasets'), list | tuple):  # ConcatDataset
        for index, one in enumerate(given['datasets']):
            yield from _innermost(f'{place}.datasets.{index}', one)
    elif isinstance(given.get('dataset'), Mapping):  # RepeatDataset, ClassBalancedDataset ...
        yield from _innermost(f'{place}.dataset', given['dataset'])
    else:
        yield place, given


def last_pipelines(config: Config, loader: str) -> list[str]:
    """Where those pipelines of a loader stand whose steps come last: a wrapper's own, else those of what it wraps."""
    given = config.get(loader)
    return list(_last('dataset', given.get('dataset'), loader)) if isinstance(given, Mapping) else []


def _last(key: str, given: Any, place: str) -> Iterator[str]:
    place = f'{place}.{key}'
    if not isinstance(given, Mapping):
        return
    inner = given.get('datasets') if isinstance(given.get('datasets'), list | tuple) else ()
    if 'pipeline' not in given and inner:  # ConcatDataset
        for index, one in enumerate(inner):
            yield from _last(f'datasets.{index}', one, place)
    elif 'pipeline' not in given and isinstance(given.get('dataset'), Mapping):  # not mmdet's MultiImageMixDataset
        yield from _last('dataset', given['dataset'], place)
    else:
        yield f'{place}.pipeline'


def require_packed(item: Any, config: Config, loader: str) -> None:
    """Refuse an item of a loader's data set that no model takes: the pipeline has no step that packs.

    Raises:
        ConfigError: with the pipeline's place, and the step.
    """
    given = item if isinstance(item, Mapping) else {type(item).__name__: item}
    if not given.keys() >= set(PACKED):
        raise ConfigError(
            f'{config.filename}: {shown(last_pipelines(config, loader))} gives {shown(given)}, expected '
            f"{' and '.join(PACKED)}; end it with the step that packs, dict(type='{PACKERS[config.default_scope]}')"
        )


def require_meta_keys(config: Config) -> None:
    """Refuse validation and test data whose samples lack what they are scored by, before a model is trained for them.

    Raises:
        ConfigError: with the place of the `meta_keys` that leave a key out.
    """
    for place, step in _packing(config):
        kept = step.get('meta_keys')
        lost = [key for key in META_KEYS[config.default_scope] if isinstance(kept, list | tuple) and key not in kept]
        if lost:
            raise ConfigError(
                f'{config.filename}: {place}.meta_keys leaves out {shown(lost)}, which predictions are scored by: '
                'add it'
            )


def _packing(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The steps that pack validation and test data, with their places."""
    for place in (place for loader in LOADERS[1:] for place in last_pipelines(config, loader)):
        steps = _at(config, place)
        for index, step in enumerate(steps if isinstance(steps, list | tuple) else ()):
            if isinstance(step, Mapping) and _class_name(step) == PACKERS[config.default_scope]:
                yield f'{place}.{index}', step


def why_not_given(error: Exception, config: Config, loader: str) -> str:
    """Why a loader's data set cannot give an item, from what a step of its pipeline raised.

    A step that looks for what no step before it left raises no more than its name.
    """
    text = str(error).strip()
    if not isinstance(error, KeyError):
        return text
    late = [f'{place}: {" and ".join(steps)}' for place, steps in _behind_packing(config, loader)]
    if not late:
        return f'a step of {shown(last_pipelines(config, loader))} looks for {text}, which no step before it gives'
    return (
        f'a step looks for {text}, and what is packed has it no more; put the step that packs last, behind '
        f'{shown(late, "; ")}'
    )


def _behind_packing(config: Config, loader: str) -> Iterator[tuple[str, list[str]]]:
    """The names of the steps behind the one that packs, by the place of the pipeline; those of a OneWarp one by one."""
    for place in last_pipelines(config, loader):
        names = list(_names(_at(config, place)))
        packing = [number for number, name in enumerate(names) if name in PACKERS.values()]
        if packing and names[packing[0] + 1 :]:
            yield place, names[packing[0] + 1 :]


def _names(steps: Any) -> Iterator[str]:
    for step in steps if isinstance(steps, list | tuple) else ():
        if isinstance(step, Mapping):
            inner = step.get('transforms')
            yield from _names(inner) if isinstance(inner, list | tuple) else [_class_name(step)]


def _class_name(step: Mapping[str, Any]) -> str:
    return str(step.get('type')).rpartition('.')[2]  # without a scope


def _at(config: Config, place: str) -> Any:
    found: Any = config
    for key in place.split('.'):
        found = found[int(key)] if isinstance(found, list | tuple) else found.get(key)
    return found


@contextmanager
def explained(config: Config, loader: str) -> Iterator[None]:
    """Say which files of a loader's data are not there, where building its data sets fails and some are not.

    Hosts say it each in its own way, of the first file only, or not at all. A data set that can be built without a file
    is not touched.

    Raises:
        DataError: with the files, where they were looked for, and how to name another folder.
    """
    try:
        yield
    except (OSError, AssertionError, DataError) as error:  # mmseg asserts, mmdet opens, ours say it
        text = _lacking(config, loader)
        if not text:
            raise
        raise DataError(text) from error


def require_plain_classes(dataset: Any) -> None:
    """Refuse a data set, of any kind, whose classes have names that no screen and no exported model can show.

    Raises:
        DataError: as `require_plain`.
    """
    classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
    require_plain([classes] if isinstance(classes, str) else [str(name) for name in classes])


def require_plain(classes: Sequence[str]) -> None:
    """Refuse names of classes that no screen and no exported model can show.

    Raises:
        DataError: one has control characters.
    """
    if odd := [name for name in classes if not is_plain(name)]:
        raise DataError(
            f'classes: {shown(map(repr, odd))} given, expected names without control characters, such as tabs and '
            'line breaks; rename these classes in the config and in the annotations; of class folders, the folders too'
        )


def _lacking(config: Config, loader: str) -> str:
    """What is not there of a loader's data, and what to do; empty where all of it is."""
    sets = [one for _, one in sets_of(config, loader) if one.get('backend_args') is None]  # else of other machines
    lacking = [(one, path) for one in sets for path in _paths(one) if not os.path.exists(_joined(one, path))]
    if not lacking:
        return ''
    root = _root(lacking[0][0])
    cure = 'put or link the data there'
    if not root:
        names = shown(dict.fromkeys(path for one, path in lacking if not _root(one)))
        return f'{names}: not there, seen from {os.getcwd()}; {cure}, or set {loader}.dataset in the config'
    if os.path.isdir(root):
        names = shown(dict.fromkeys(_joined(one, path) for one, path in lacking if _root(one) == root))
        what = f'{names}: not there, seen from {os.getcwd()}'
    else:
        expected = shown(dict.fromkeys(path for one in sets if _root(one) == root for path in _paths(one)))
        what = f'{root}: no such folder, seen from {os.getcwd()}; {loader} expects in it {expected}'
    others = ' '.join(_options(config, 'test' if loader == 'test_dataloader' else 'train', root))
    return (
        f'{what}; {cure} ({_page(lacking[0][0])}), set data_root in the config, or have '
        f'train and test look elsewhere: --cfg-options {others}'
    )


def _page(one: Mapping[str, Any]) -> str:
    """Where to read how a data set has to lie on disk."""
    section = SECTIONS.get(str(one.get('type'))) if one.get('metainfo') else None
    return f'docs/own_data.md, "{section}"' if section else 'docs/train.md, "The data of the shipped configs"'


def _root(one: Mapping[str, Any]) -> str:
    root = one.get('data_root')
    return root if isinstance(root, str) else ''


def _joined(one: Mapping[str, Any], path: str) -> str:
    return os.path.join(_root(one), path)


def _paths(one: Mapping[str, Any]) -> list[str]:
    """The files and folders that a data set names, as they stand in the config."""
    prefix = one.get('data_prefix')
    named = [one.get('ann_file'), *(prefix.values() if isinstance(prefix, Mapping) else [prefix])]
    return [path for path in named if isinstance(path, str) and path and '://' not in path]


def _options(config: Config, verb: str, root: str) -> Iterator[str]:
    """KEY=VALUE words that name another folder than `root` in all that a training or a test reads."""
    parts = ('test',) if verb == 'test' else ('train', 'val')
    for part in parts:
        for place, one in sets_of(config, f'{part}_dataloader'):
            if _root(one) == root:
                yield f'{place}.data_root=DIR'
        evaluator = config.get(f'{part}_evaluator')
        for key, value in evaluator.items() if isinstance(evaluator, Mapping) else ():
            if isinstance(value, str) and value.startswith(root):
                yield f'{part}_evaluator.{key}={os.path.join("DIR", value.removeprefix(root).lstrip("/"))}'
