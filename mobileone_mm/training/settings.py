"""A config as mmdet's, mmseg's and mmpretrain's own tools/train.py and test.py would hand it to mmengine."""

import argparse
import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.registry import DATASETS
from mmengine.runner import Runner

from mobileone_mm.errors import CheckpointError, ConfigError, UsageError
from mobileone_mm.locks import take
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.data_sets import LOADERS, require_meta_keys, sets_of
from mobileone_mm.openmmlab.shipped import find_config
from mobileone_mm.training import ranks
from mobileone_mm.training.work_dir import require_checkpoints_kept, require_work_dir

LOGGER = logging.getLogger(__name__)

AUTO = 'auto'  # resume from the last checkpoint in the work dir
# What is read of a config, by mmengine's runner, its hosts' tools and ours; all else are variables of the file.
READ = {
    *inspect.signature(Runner.__init__).parameters,
    *('activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters'),
    *('fp16', 'model_wrapper_cfg', 'runner_type', 'strategy', 'sync_bn', 'tta_model', 'tta_pipeline', 'vis_backends'),
}
LENGTHS = 'max_epochs', 'max_iters', 'val_interval'  # of train_cfg
CHECKED = tuple(  # whose check can be left out
    f'mobileone_mm.{name}' for name in ('CocoDataset', 'VOCDataset', 'MaskDataset', 'ClassFolderDataset')
)


@dataclass(frozen=True)
class Options:
    """What a command says beside the config.

    Attributes:
        work_dir: folder for checkpoints and logs; None for the config's own, else work_dirs/NAME.
        cfg_options: KEY=VALUE words, put into the config as mmengine's `DictAction` reads them.
        resume: 'auto' for the last checkpoint in the work dir, a path or URL, or None.
        amp: train in mixed precision.
        auto_scale_lr: scale the learning rate with the batch, as the config's `auto_scale_lr` says.
        no_check: do not look into every file of a data set for faults before the first step.
        weights: path or URL of the weights that the backbone starts from, instead of those that the config names.
    """

    work_dir: str | None = None
    cfg_options: Sequence[str] = ()
    resume: str | None = None
    amp: bool = False
    auto_scale_lr: bool = False
    no_check: bool = False
    weights: str | None = None


def training_config(word: str, options: Options) -> Config:
    """The config to train with.

    Raises:
        UsageError: an entry of `cfg_options` is no KEY=VALUE, or the work dir holds what would be lost.
        ConfigError: the config cannot be read, or an option does not go with it.
        CheckpointError: the checkpoint to resume from, or the file of weights, does not exist.
    """
    config = _config(word, options, trains=True)
    if not (config.get('train_dataloader') and config.get('train_cfg') and config.get('optim_wrapper')):
        raise ConfigError(
            f'{word}: expected train_dataloader, train_cfg and optim_wrapper; without them there is nothing to train'
        )
    _require_length(word, config.train_cfg)
    if options.amp:
        _enable_amp(word, config)
    if options.auto_scale_lr:
        if 'base_batch_size' not in (config.get('auto_scale_lr') or {}):
            raise ConfigError(
                f'{word}: `auto_scale_lr` given, but the config does not say which batch its learning rate is for; '
                'expected auto_scale_lr=dict(base_batch_size=...)'
            )
        config.auto_scale_lr.enable = True
    if options.no_check:
        _leave_out_checks(word, config)
    if options.weights is not None:
        _start_from(word, config, options.weights, resumes=options.resume is not None)
    return config


def test_config(word: str, checkpoint: str, options: Options) -> Config:
    """The config to test a checkpoint with.

    Raises:
        UsageError: an entry of `cfg_options` is no KEY=VALUE, or the work dir is another's.
        ConfigError: the config cannot be read or has nothing to test with.
        CheckpointError: the checkpoint does not exist.
    """
    config = _config(word, options, trains=False)
    if not (config.get('test_dataloader') and config.get('test_evaluator')):
        raise ConfigError(
            f'{word}: expected test_dataloader and test_evaluator; without them there is nothing to test on'
        )
    config.load_from = _existing(checkpoint)
    return config


def _config(word: str, options: Options, trains: bool) -> Config:
    config = configs.load_config(find_config(word))
    config.launcher = 'pytorch' if ranks.launched() else 'none'
    given = _parsed(options.cfg_options)
    _require_read(word, config, given)
    if ranks.rank() == 0:
        _warn_of_new(config, given)
    try:
        config.merge_from_dict(given)
    except Exception as error:  # of many kinds, for a path through a config that does not have it
        raise ConfigError(f'{word}: `cfg_options` cannot be put into it: {error}') from error
    require_meta_keys(config)
    if options.work_dir is not None:
        config.work_dir = options.work_dir
    elif config.get('work_dir') is None:
        config.work_dir = os.path.join('work_dirs', find_config(word).stem)
    if options.resume is not None:
        config.resume = True
        config.load_from = None if options.resume == AUTO else _existing(options.resume)
    if ranks.rank() == 0:  # others may find what it made
        require_work_dir(Path(config.work_dir), Path(config.filename))
        for folder in require_checkpoints_kept(config) if trains else ():
            take(folder)
    if config.default_scope == 'mmpretrain':
        _fill_loaders(config)
    if config.default_scope == 'mmdet' and config.get('compile'):
        from mmdet.utils import setup_cache_size_limit_of_dynamo  # loads torch's compiler

        setup_cache_size_limit_of_dynamo()
    return config


def _parsed(words: Sequence[str]) -> dict[str, Any]:
    for word in words:
        if '=' not in word:
            raise UsageError(f'`cfg_options`: {word!r} given, expected KEY=VALUE, such as train_cfg.max_epochs=12')
    read = argparse.Namespace(options={})
    try:
        DictAction([], 'options')(argparse.ArgumentParser(), read, words)
    except AssertionError as error:  # for brackets that do not match
        raise UsageError(f'`cfg_options`: {error}') from error
    options: dict[str, Any] = read.options
    return options


def _require_read(word: str, config: Config, given: Mapping[str, Any]) -> None:
    for key in given:
        name = key.partition('.')[0]
        if name in config and name not in READ:
            raise ConfigError(
                f'{word}: `cfg_options`: {key} given, which would change nothing: {name} is a variable of the file, '
                f'whose lines that use it have been evaluated by then; change it in the file, or give what they set, '
                'such as train_cfg.max_epochs=12'
            )


def _warn_of_new(config: Config, given: Mapping[str, Any]) -> None:
    """Say of a key that is not there yet which one it is like: misspelt ones are put in like any other."""
    for key in given:
        node: Any = {**dict.fromkeys(READ), **config.to_dict()}
        words = key.split('.')
        for place, name in enumerate(words):
            if isinstance(node, list | tuple) and name.isdecimal() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, dict) and name in node:
                node = node[name]
            else:
                near = get_close_matches(name, node, 1) if isinstance(node, dict) else []
                if near:
                    meant = '.'.join([*words[:place], *near, *words[place + 1 :]])
                    LOGGER.warning('`cfg_options`: %s is new in this config; did you mean %s?', key, meant)
                break


def _require_length(word: str, train_cfg: Any) -> None:
    """Refuse what mmengine takes for a training that is over before its first step, or stops at later."""
    for key in LENGTHS if isinstance(train_cfg, dict) else ():
        value = train_cfg.get(key, 1)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
        if not whole or value < 1:
            raise ConfigError(f'{word}: train_cfg.{key} is {value!r}; expected a whole number, at least 1')


def _enable_amp(word: str, config: Config) -> None:
    kind = config.optim_wrapper.get('type', 'OptimWrapper')
    kind = kind if isinstance(kind, str) else kind.__name__
    if kind == 'AmpOptimWrapper':
        return
    if kind != 'OptimWrapper':
        raise ConfigError(f'{word}: `amp` goes with optim_wrapper of type OptimWrapper, the config has {kind}')
    config.optim_wrapper.type = 'AmpOptimWrapper'
    config.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _leave_out_checks(word: str, config: Config) -> None:
    configs.enter_scope(config)
    with DATASETS.switch_scope_and_registry(config.default_scope) as registry:
        known = (registry.get(name) for name in CHECKED)
        checked = tuple(kind for kind in known if kind is not None)  # of masks there is none without mmseg

        def has_check(one: Any) -> bool:
            kind = registry.get(one['type']) if isinstance(one.get('type'), str) else one.get('type')
            return isinstance(kind, type) and issubclass(kind, checked)

        found = [one for loader in LOADERS for _, one in sets_of(config, loader) if has_check(one)]
    for one in found:
        one['check'] = False
    if not found:
        raise ConfigError(
            f'{word}: `no_check` leaves out the look into every file of a data set ({" or ".join(CHECKED)}), and this '
            'config has none of these; leave `no_check` out'
        )


def _start_from(word: str, config: Config, weights: str, resumes: bool) -> None:
    """Let the backbone start from a file; one that a resumed run does not read need not exist any more."""
    model = config.get('model') or {}
    backbone = model.get('backbone')
    if not isinstance(backbone, dict):
        raise ConfigError(
            f'{word}: `weights` given, which are for `model.backbone`, and this config has none; name the file in the '
            '`init_cfg` of the part of the model that it is for'
        )
    others = {'model.init_cfg': _pretrained(model), 'model.pretrained': model.get('pretrained')}
    others |= {} if resumes else {'load_from': config.get('load_from')}
    if taken := [name for name, found in others.items() if found]:
        raise ConfigError(
            f'{word}: `weights` given, but {taken[0]} of this config fills the backbone after that; set {taken[0]} '
            'instead, with `cfg_options` or in the file'
        )
    path = os.path.expanduser(weights)
    kept = {key: value for key, value in _pretrained(backbone).items() if key == 'without_se'}
    backbone['init_cfg'] = {
        'type': 'Pretrained',
        **kept,
        'checkpoint': path if resumes else _existing(path, 'weight file'),
    }


def _pretrained(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule by which a part of a model is filled from a file; empty where none is."""
    given = part.get('init_cfg') or ()
    for rule in [given] if isinstance(given, Mapping) else given:
        name = rule.get('type')
        if (name if isinstance(name, str) else getattr(name, '__name__', '')).startswith('Pretrained'):
            found: Mapping[str, Any] = rule
            return found
    return {}


def _existing(source: str, what: str = 'checkpoint') -> str:
    if '://' not in source and not Path(source).is_file():
        raise CheckpointError(f'{source}: no such {what}')
    return source


def _fill_loaders(config: Config) -> None:
    """What mmpretrain's tools set where a config does not."""
    for name in LOADERS:
        loader = config.get(name)
        if loader:
            loader.setdefault('pin_memory', True)
            loader.setdefault('collate_fn', {'type': 'default_collate'})
            if loader.get('num_workers'):  # torch refuses to keep workers that there are not
                loader.setdefault('persistent_workers', True)
