"""The only reader and writer of weight files (.pth), and the way from a file into a model: see docs/checkpoint.md.

Reading never runs code from a file: tensors, numbers, strings and containers are kept, all else is refused by name.
"""

import logging
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mobileone_mm.atomic import replacing
from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.models.backbones.base import BlockBackbone
from mobileone_mm.outputs import WEIGHTS, file_sha256, sign_weights
from mobileone_mm.weights import expand, matching, names, safe_load
from mobileone_mm.weights.download import local_file
from mobileone_mm.weights.names import Weights, listed
from mobileone_mm.weights.plain import plain, plain_meta

BLOCK = 'mobileone_mm'  # the name of this package's own block in a file's `meta`
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds.

    Attributes:
        state_dict: names and tensors, on the CPU, wrappers and `module.` removed.
        meta: the file's `meta` without what is not plain data; {} for a bare state dict.
        path: of the local file.
        sha256: of the local file, in hexadecimal.
    """

    state_dict: dict[str, Tensor]
    meta: dict[str, Any]
    path: Path
    sha256: str

    @property
    def weights(self) -> Weights:
        """The state dict, sorted into backbone, classifier and rest.

        Raises:
            CheckpointError: it holds no MobileOne, one that is half fused, or half a classifier.
        """
        if isinstance(self._parsed, CheckpointError):
            raise CheckpointError(f'{self.path}: {self._parsed}') from self._parsed
        return self._parsed

    @property
    def form(self) -> str:
        """'trained' or 'fused'."""
        return 'trained' if isinstance(self._parsed, CheckpointError) else self._parsed.form

    @property
    def classifier_rows(self) -> int | None:
        """How many classes its linear classifier tells apart, None without one."""
        return None if isinstance(self._parsed, CheckpointError) else self._parsed.num_classes

    @cached_property
    def _parsed(self) -> Weights | CheckpointError:
        # Once a file: every key is held against every layout.
        try:
            return names.parse(self.state_dict)
        except CheckpointError as error:
            return error

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Class names the model was trained on, where the file tells."""
        named = self.meta.get('dataset_meta') or {}
        classes = named.get('classes') if isinstance(named, Mapping) else None
        if isinstance(classes, str):
            return (classes,)
        return tuple(classes) if classes and isinstance(classes, list | tuple) else None

    def __str__(self) -> str:
        return f'{self.path}: this is {names.described(self._parsed)}'


def form_of(state_dict: Mapping[str, Tensor]) -> str:
    """'fused' where a MobileOne in any layout holds fused convolutions, else 'trained'."""
    try:
        return names.parse(state_dict).form
    except CheckpointError:
        return 'trained'


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Read a weight file, ours or another's, from a path or URL, without running code from it.

    Raises:
        CheckpointError: no such file, no weight file, or one that names code.
    """
    path = local_file(source)
    contents = safe_load.read(path)
    stored = contents.get('meta') if isinstance(contents, Mapping) else None
    try:
        state_dict = names.unwrap(contents)
        matching.require_dense(state_dict, path.stat().st_size)
        meta = plain_meta(stored)
        _require_known_format(meta)
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}') from error
    return Checkpoint(state_dict, meta, path, file_sha256(path))


def save_checkpoint(path: str | Path, state_dict: Mapping[str, Tensor], meta: Mapping[str, Any] | None) -> None:
    """Write a weight file that loads with `weights_only=True`; it appears whole or not at all.

    Raises:
        UsageError: something stands at `path` that was not written so.
    """
    with replacing(path, WEIGHTS) as fresh:
        write_weights(fresh, state_dict, meta)


def write_weights(path: Path, state_dict: Mapping[str, Tensor], meta: Mapping[str, Any] | None) -> None:
    """Write a weight file to a path that nobody reads yet (`atomic`).

    Tensors are stored on the CPU; what is not plain data in `meta` is left out. Without `meta` the file is a bare state
    dict, as Apple and timm publish theirs.
    """
    state = {key: value.detach().cpu() for key, value in state_dict.items()}
    torch.save(state if meta is None else {'meta': plain(meta), 'state_dict': state}, path)
    sign_weights(path)


def load_weights(model: nn.Module, path: str | Path) -> Checkpoint:
    """Load a file into a MobileOne, or into an mm model around one, in place.

    A file of the whole model must fit entry by entry and be in the model's form. A backbone or classification file in
    any layout goes into the backbone as `load_backbone_weights` does it, and its classifier into the model's `head.fc`
    where there is one.

    Raises:
        CheckpointError: the file does not belong to this model.
    """
    checkpoint = read_checkpoint(path)
    prefix = matching.backbone_prefix(model)
    if prefix is None or (prefix and checkpoint.weights.rest):
        load_whole(model, checkpoint)
        return checkpoint
    weights = checkpoint.weights
    classifier = matching.under_names_of(model, replace(weights, backbone={}, rest={}))
    if prefix and classifier:  # before the backbone is touched
        expected = model.state_dict()
        _require_fit({key: expected[key] for key in matching.HOST_CLASSIFIER}, classifier, model, checkpoint)
    backbone = model.get_submodule(prefix.rstrip('.'))
    assert isinstance(backbone, BlockBackbone), 'its prefix was found by that'
    _load_backbone(backbone, checkpoint)
    model.load_state_dict(classifier, strict=False)
    return checkpoint


def load_backbone_weights(backbone: nn.Module, path: str | Path, without_se: bool = False) -> Checkpoint:
    """Load the backbone out of any file in any layout, in place; classifier, neck and head are left out, and logged so.

    A trained file goes into the trained form as it is and into the fused form folded; a fused file goes into the fused
    form as it is. Into the trained form it is expanded: eval mode computes the fused function at once, and training
    needs `ExpandHook` (in every shipped config) to calibrate on the user's images first.

    Args:
        backbone: a MobileOne.
        path: or URL.
        without_se: leave out the file's squeeze-excite, for a backbone that has none, and log so. The backbone then
            computes something else than the one in the file, and has to be trained.

    Raises:
        ConfigError: `backbone` is no MobileOne.
        CheckpointError: the file holds no MobileOne, or another one than the config asks for.
        FuseError: fused weights, which the config's convolutions or norms cannot take.
    """
    if not isinstance(backbone, BlockBackbone):
        raise ConfigError(
            f'{type(backbone).__name__} given, expected a MobileOne, whose weights alone are read so; for any other '
            "network write init_cfg=dict(type='mmengine.Pretrained', checkpoint=...)"
        )
    checkpoint = read_checkpoint(path)
    _load_backbone(backbone, checkpoint, without_se)
    return checkpoint


def _load_backbone(backbone: BlockBackbone, checkpoint: Checkpoint, without_se: bool = False) -> None:
    weights = checkpoint.weights
    if weights.misplaced:
        raise CheckpointError(
            f'{checkpoint}: unexpected {listed(weights.misplaced)}; expected a backbone with or without its linear '
            "classifier, or a whole mm model, whose backbone's names begin with 'backbone.'"
        )
    state, expected, expanding = weights.backbone, backbone.state_dict(), False
    require_finite(state, checkpoint)
    if backbone.deploy and weights.form == 'trained':
        state = expand.fold_state(state)
    elif not backbone.deploy and weights.form == 'fused':
        expand.require_expandable(backbone)
        expected, expanding = expand.fold_state(expected), True
    if not any(map(matching.is_squeeze_excite, expected)):
        state = _unsqueezed(state, expected, checkpoint, without_se)
    _require_fit(expected, state, backbone, checkpoint)
    backbone.awaits_calibration = False
    if expanding:
        expand.expand(backbone, state)
    else:
        backbone.load_state_dict(state, strict=False)  # num_batches_tracked may lack; the rest was checked
    left_out = [*weights.classifier, *weights.rest]
    print_log(
        f'backbone weights from {checkpoint}{f"; left out: {listed(left_out)}" if left_out else ""}', logger='current'
    )
    if expanding:
        print_log(
            'these fused weights were expanded into branches: evaluation computes the fused function at once; when '
            "training starts, dict(type='mobileone_mm.ExpandHook') in custom_hooks (every shipped config has it) sets "
            'the BatchNorms to the training images',
            logger='current',
        )


def _unsqueezed(
    state: dict[str, Tensor], expected: Mapping[str, Tensor], checkpoint: Checkpoint, without_se: bool
) -> dict[str, Tensor]:
    """The entries for a backbone that has no squeeze-excite; as they are where the file has none either."""
    rest = {key: value for key, value in state.items() if not matching.is_squeeze_excite(key)}
    if len(rest) == len(state):
        return state
    if without_se:
        blocks = len({key.partition('.se.')[0] for key in state.keys() - rest.keys()})
        said = f'the squeeze-excite of {blocks} blocks was left out, and the rest has to learn to do without it'
        print_log(f'{checkpoint.path}: {said} (without_se=True)', logger='current', level=logging.WARNING)
        return rest
    if matching.faults(expected, rest):  # of another variant: the error that names it says more
        return state
    raise CheckpointError(
        f'{checkpoint}, with squeeze-excite, which the config leaves out (se_cfg=None); to start from the rest all the '
        "same, write init_cfg=dict(type='Pretrained', checkpoint=..., without_se=True)"
    )


def load_whole(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Load a file of the whole model, in the model's form, entry by entry, in place.

    Raises:
        CheckpointError: the file does not belong to this model.
    """
    state: Mapping[str, Tensor] = checkpoint.state_dict
    if matching.backbone_prefix(model) is not None:
        state = matching.under_names_of(model, checkpoint.weights)
    _require_fit(model.state_dict(), state, model, checkpoint)
    model.load_state_dict(state, strict=False)  # num_batches_tracked may lack; the rest was checked


def require_finite(given: Mapping[str, Tensor], checkpoint: Checkpoint) -> None:
    """Refuse entries of a file that no model can compute with.

    Raises:
        CheckpointError: NaN, infinity or a negative variance.
    """
    spoilt = matching.spoilt(given)
    if spoilt:
        raise CheckpointError(
            f'{checkpoint.path}: {"; ".join(spoilt)}, left by a diverged training; take an earlier checkpoint'
        )


def _require_fit(
    expected: Mapping[str, Tensor], given: Mapping[str, Tensor], model: nn.Module, checkpoint: Checkpoint
) -> None:
    """`model` is what the message describes; `expected` may be another form of it."""
    require_finite(given, checkpoint)
    faults = matching.faults(expected, given)
    if not faults:
        return
    counts = matching.class_counts(model, checkpoint.classes, checkpoint.classifier_rows)
    if counts:  # of all that differs, what the user knows and can mend: not one of a thousand keys
        raise CheckpointError(f'{checkpoint.path}: {"; ".join(counts)}; give the config it was trained with')
    wanted = names.describe(model.state_dict()) if matching.backbone_prefix(model) is not None else 'another network'
    raise CheckpointError(f'{checkpoint}; the config wants {wanted}: {"; ".join(faults)}')


def _require_known_format(meta: Mapping[str, Any]) -> None:
    block = meta.get(BLOCK, {})
    version = block.get('format_version', FORMAT_VERSION) if isinstance(block, Mapping) else None
    if type(version) is not int:
        raise CheckpointError(
            f"meta[{BLOCK!r}] = {reprlib.repr(block)} given, expected a dict whose 'format_version' is a whole number "
            f'up to {FORMAT_VERSION}; fuse the trained checkpoint again'
        )
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f'written in format {version} by a newer mobileone-mm, this one reads up to {FORMAT_VERSION}; '
            'run: pip install --upgrade mobileone-mm'
        )
