"""The teachers of a distillation: classifiers that others trained, frozen, of timm or mmpretrain, by name.

Letters: N pictures, C classes, H x W their size in pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import initialize
from torch import Tensor, nn

from mobileone_mm.errors import CheckpointError, ConfigError, one_line, shown
from mobileone_mm.registry import SCOPE

EXAMPLES = "'timm:resnet152s.gluon_in1k' or 'mmpretrain:resnet101_8xb32_in1k'"
HUB_FILES = ('model.safetensors', 'pytorch_model.bin')  # one of which a model on Hugging Face's hub has
HUB_SECONDS = 10  # that the hub may take for an answer
MOST_SAID = 300  # characters of what a library says: a network that does not fit lists all its weights
MOBILEONE = (
    "a fused MobileOne is read by this project's configs alone: name='mmpretrain:' + "
    "__import__('mobileone_mm').config('mobileone_s0_in1k')"
)
INSTALL = "install it: pip install 'mobileone-mm[distillation]'"


@dataclass(frozen=True)
class TeacherOptions:
    """One of `teachers` in a config.

    Attributes:
        name: 'timm:' and what `timm.create_model` takes; or 'mmpretrain:' and what `mmpretrain.get_model` takes, which
            is the name of one of its models or the path of a config.
        checkpoint: a file with its weights, as timm or mmpretrain name them; None for those that are published with the
            name, which are downloaded. A fused MobileOne, such as Apple's, is read by this project's configs alone.
    """

    name: str
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        source, _, model = str(self.name).partition(':')
        if source not in OPENERS or not model:
            raise ConfigError(f'teachers: name={self.name!r} given, expected a source and a name, such as {EXAMPLES}')

    @property
    def model(self) -> str:
        """The name without its source."""
        return self.name.partition(':')[2]


@dataclass(frozen=True)
class Teacher:
    """A classifier in eval mode that learns no more.

    Attributes:
        name: as the config has it.
        model: gives scores (N, C) before softmax.
        prepared: makes what `model` takes of planes of blue, green and red (N, 3, H, W), float, 0..255.
        size: (H, W) where it takes no other.
    """

    name: str
    model: nn.Module
    prepared: Callable[[Tensor], Tensor]
    size: tuple[int, int] | None = None

    def probabilities(self, pixels: Tensor, classes: int) -> Tensor:
        """(N, C) in float32, for planes of blue, green and red (N, 3, H, W), float, 0..255.

        Raises:
            ConfigError: it has not this many classes, or takes no pictures of this size.
        """
        height, width = pixels.shape[-2:]
        if self.size is not None and self.size != (height, width):
            raise ConfigError(
                f'teacher {self.name}: takes pictures of {self.size[1]} x {self.size[0]} px alone, and training crops '
                f'{width} x {height} px; train with its size throughout, or choose another teacher'
            )
        scores = self.model(self.prepared(pixels))
        if not isinstance(scores, Tensor) or scores.shape != (len(pixels), classes):
            given = scores.shape[1] if isinstance(scores, Tensor) and scores.ndim == 2 else 'no scores of'
            raise ConfigError(
                f'teacher {self.name}: has {given} classes, the student {classes}; expected the same classes in the '
                'same order'
            )
        return scores.float().softmax(dim=1)


class Teachers:
    """All teachers of a student, opened once, when training starts.

    No module, and shared by every copy of the student (of EMA, of a fusion): they are read, and never changed.

    Args:
        configs: a dict for each, with the fields of `TeacherOptions`.

    Raises:
        ConfigError: no teacher, or one that is not named as it should be.
    """

    def __init__(self, configs: Sequence[Mapping[str, Any]]) -> None:
        known = {field.name for field in fields(TeacherOptions)}
        self._options = []
        for given in configs if isinstance(configs, list | tuple) else [configs]:
            if not isinstance(given, Mapping) or 'name' not in given or set(given) - known:
                raise ConfigError(f'teachers: {given!r} given, expected dict(name={EXAMPLES.partition(" ")[0]})')
            self._options.append(TeacherOptions(**given))
        if not self._options:
            raise ConfigError(f'teachers: none given, expected at least one, such as {EXAMPLES}')
        self._opened: list[Teacher] = []
        self._device: torch.device | None = None

    def __deepcopy__(self, memo: Any) -> 'Teachers':
        return self

    def open(self) -> None:
        """Build the teachers and read their weights, which are downloaded if need be; once.

        Raises:
            ConfigError: a name that is not known, or a package that is not installed.
            CheckpointError: weights that cannot be had, or belong to another network.
        """
        if self._opened:
            return
        opened = []
        for place, options in enumerate(self._options):
            source = options.name.partition(':')[0]
            teacher = OPENERS[source](options, f'model.teachers.{place}.checkpoint')
            teacher.model.eval().requires_grad_(False)
            parameters = sum(parameter.numel() for parameter in teacher.model.parameters())
            print_log(f'teacher {teacher.name}: {parameters / 1e6:.1f} M parameters', logger='current')
            opened.append(teacher)
        self._opened = opened

    @torch.no_grad()
    def soft_labels(self, pixels: Tensor, classes: int) -> Tensor:
        """The mean of the teachers' softmax, (N, C) in float32.

        In mixed precision on a GPU, where that is faster, and in float32 on a CPU, whatever the student trains in.

        Args:
            pixels: planes of blue, green and red (N, 3, H, W), 0..255.
            classes: C.

        Raises:
            ConfigError: a teacher has other classes or takes no pictures of this size; and as `open`.
        """
        self.open()
        device = pixels.device
        if self._device != device:
            for teacher in self._opened:
                teacher.model.to(device)
            self._device = device
        with torch.autocast(device.type, enabled=device.type != 'cpu'):
            found = [teacher.probabilities(pixels.float(), classes) for teacher in self._opened]
        return torch.stack(found).mean(dim=0)


def _of_timm(options: TeacherOptions, key: str) -> Teacher:
    try:
        import timm
        from timm.data import resolve_data_config
        from timm.models import get_pretrained_cfg, load_state_dict
    except ImportError as error:
        raise ConfigError(f'teacher {options.name}: timm cannot be imported ({error}); {INSTALL}') from error
    repository = options.model.removeprefix('hf-hub:').partition('@')[0]
    if ':' not in options.model:  # which begins where timm is to look, such as hf-hub:
        if not timm.is_model(options.model):
            raise ConfigError(_unknown(options, timm.list_pretrained(), 'timm.list_pretrained()'))
        try:
            repository = get_pretrained_cfg(options.model).hf_hub_id
        except RuntimeError as error:  # of a tag
            known = timm.list_pretrained(f'{options.model.partition(".")[0]}.*')
            raise ConfigError(f'teacher {options.name}: {error} There are {shown(known)}') from error
    if options.checkpoint and not Path(options.checkpoint).is_file():
        raise CheckpointError(f'teacher {options.name}: {options.checkpoint}: no such weight file')
    try:
        if repository and not options.checkpoint:
            _require_within_reach(repository)
        weights = {'state_dict': load_state_dict(options.checkpoint, weights_only=True)} if options.checkpoint else None
        model: Any = timm.create_model(options.model, pretrained=True, pretrained_cfg_overlay=weights)
    except Exception as error:  # of timm, of the hub, or of whatever fetches for it
        raise CheckpointError(_unread(options, key, error)) from error
    model.pretrained_cfg.pop('state_dict', None)
    data = resolve_data_config(model=model)
    mean, std = (255 * torch.tensor(data[name]).view(-1, 1, 1) for name in ('mean', 'std'))
    size = tuple(data['input_size'][1:]) if model.pretrained_cfg.get('fixed_input_size') else None

    def prepared(pixels: Tensor) -> Tensor:
        return (pixels.flip(1) - mean.to(pixels)) / std.to(pixels)

    return Teacher(options.name, model, prepared, size)


def _require_within_reach(repository: str) -> None:
    """Refuse weights that are neither kept here nor on a hub that answers: its own code asks for most of a minute.

    Raises:
        CheckpointError: with what came instead of an answer.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    if any(isinstance(try_to_load_from_cache(repository, name), str) for name in HUB_FILES):
        return
    try:
        get_hf_file_metadata(hf_hub_url(repository, HUB_FILES[0]), timeout=HUB_SECONDS)
    except EntryNotFoundError:  # an answer: timm knows more names
        return
    except Exception as error:  # of whatever fetches for the hub
        raise CheckpointError(f'never downloaded here, and the hub gives no answer: {one_line(error)}') from error


def _of_mmpretrain(options: TeacherOptions, key: str) -> Teacher:
    from mmpretrain.apis import get_model, list_models
    from mmpretrain.models import BaseClassifier

    if not options.model.endswith('.py') and options.model.lower() not in list_models():
        raise ConfigError(_unknown(options, list_models(), 'mmpretrain.list_models()'))
    try:
        model = get_model(options.model)
    except Exception as error:  # a config runs: whatever it raises is the user's to read
        raise ConfigError(f'teacher {options.name}: mmpretrain cannot build it: {error}') from error
    if not isinstance(model, BaseClassifier):
        raise ConfigError(f'teacher {options.name}: is a {type(model).__name__}, expected a classifier')
    published = model._metainfo.weights if model._metainfo else None
    if not (options.checkpoint or published):
        raise CheckpointError(_unread(options, key, 'none are published under this name'))
    # By name, since who reads files stands above who is filled from them.
    weights = {'type': f'{SCOPE}.PretrainedClassifier', 'checkpoint': options.checkpoint or published, 'key': key}
    try:
        initialize(model, weights)
    except CheckpointError as error:
        if _is_file_of_mobileone(options):
            raise CheckpointError(_unread(options, key, error)) from error
        raise

    def prepared(pixels: Tensor) -> Tensor:
        inputs: Tensor = model.data_preprocessor({'inputs': pixels})['inputs']
        return inputs

    return Teacher(options.name, model, prepared)


OPENERS: Mapping[str, Callable[[TeacherOptions, str], Teacher]] = {'timm': _of_timm, 'mmpretrain': _of_mmpretrain}


def _unknown(options: TeacherOptions, known: Sequence[str], listing: str) -> str:
    near = get_close_matches(options.model, known)
    return f'teacher {options.name}: no such model; ' + (
        f'did you mean {" or ".join(near)}?' if near else f'{listing} names them all'
    )


def _unread(options: TeacherOptions, key: str, reason: object) -> str:
    why = shorten(one_line(reason), MOST_SAID, placeholder=' ...')
    cure = MOBILEONE if _is_file_of_mobileone(options) else f'name a file: --cfg-options {key}=FILE'
    return f'teacher {options.name}: its weights cannot be read ({why}); {cure}'


def _is_file_of_mobileone(options: TeacherOptions) -> bool:
    """Whether a file was given for another project's MobileOne."""
    theirs = options.model.lower().startswith('mobileone') and not options.model.endswith('.py')
    return theirs and options.checkpoint is not None and Path(options.checkpoint).is_file()
