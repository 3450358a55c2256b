"""A trained model written as a fused file, and the config that describes the fused model to any host.

The fused model has no BatchNorm, which mm configs can say: `deploy=True` for the backbone and `norm_cfg=None` for neck
and head, whose convolutions then carry a bias under the same names. So a host builds the fused model from the written
config and loads the file key by key, with no hook of ours.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn

from mobileone_mm import __version__, reparam
from mobileone_mm.atomic import replacing_together
from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.locks import holding
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.config_text import without_double_braces
from mobileone_mm.openmmlab.inputs import example_images
from mobileone_mm.outputs import (
    FUSED_CONFIG,
    REPORT,
    WEIGHTS,
    file_sha256,
    fused_config_text,
    report_text,
    require_outputs,
    weights_digest_in,
)
from mobileone_mm.parity import Parity
from mobileone_mm.weights import matching
from mobileone_mm.weights.checkpoint import BLOCK, FORMAT_VERSION, Checkpoint, write_weights

# Max abs error / range, float32. Rounding alone reaches 5e-5 in an untrained detector, and a module that may not be
# fused (one whose convolution is read before its norm) passes 1e-2. float64 would part them wider, but takes torch a
# minute on a CPU for one S2 detector.
WRONG_FUSE_LIMIT = 1e-3


@dataclass(frozen=True)
class FusedFile:
    """What was written.

    Attributes:
        path: the .pth.
        config: the .py that describes the fused model, None where none can.
        fault: why none can, else ''.
        parity: fused against trained model, both in float32.
        parameters: number of parameters of the fused model.
    """

    path: Path
    config: Path | None
    fault: str
    parity: Parity
    parameters: int


@holding()
def write_fused(
    model: nn.Module, source: Checkpoint, config: Config, out: Path, report: str | Path | None = None
) -> FusedFile:
    """Fuse a copy of `model` (on the CPU, holding the weights of `source`), check it, and write it as `out` (.pth).

    Beside it, `out` with the ending .py is the config that loads it, and `report`, if it is given, a .json file with
    what was measured. All of them appear, or none. The config names the SHA-256 of the .pth, so that one that was
    copied without the other is noticed: `require_one_writing`.

    Raises:
        UsageError: something stands at one of them that was not written so, or another process is writing it.
        FuseError: the model cannot be fused.
        ConfigError: the model cannot run.
        ParityError: the fused model does not compute what `model` computes; nothing is written.
    """
    require_outputs([(out, WEIGHTS), (out.with_suffix('.py'), FUSED_CONFIG), (report, REPORT)], [source.path])
    with configs.running(config):
        fused, parity = reparam.fuse_checked(model, example_images(config), WRONG_FUSE_LIMIT)
    state = fused.state_dict()
    described, path, fault = config, None, ''
    try:
        described, path = fused_config(config, state), out.with_suffix('.py')
    except ConfigError as error:
        fault = str(error)
    block = {
        'kind': 'fused',
        'format_version': FORMAT_VERSION,
        'arch': _arch(config),
        'classes': list(source.classes or ()),
        'source_sha256': source.sha256,
        'parity': parity.relative,
        'version': __version__,
    }
    written = FusedFile(out, path, fault, parity, _parameters(fused))
    text = without_double_braces(described.pretty_text)
    beside = [(one, kind) for one, kind in ((path, FUSED_CONFIG), (report, REPORT)) if one is not None]
    with replacing_together([(out, WEIGHTS), *beside]) as (fresh, *others):
        write_weights(fresh, state, {**source.meta, 'cfg': text, BLOCK: block})
        if path is not None:
            head_and_text = without_double_braces(fused_config_text(text, fresh))  # the head names the file
            others[0].write_text(head_and_text, encoding='utf-8')
        if report is not None:
            others[-1].write_text(report_text(_report(source, written, file_sha256(fresh), _parameters(model))))
    return written


def _report(source: Checkpoint, written: FusedFile, sha256: str, parameters_trained: int) -> dict[str, Any]:
    return {
        'source': str(source.path),
        'source_sha256': source.sha256,
        'out': str(written.path),
        'out_sha256': sha256,
        'config': None if written.config is None else str(written.config),
        'max_abs': written.parity.max_abs,
        'relative': written.parity.relative,
        'parameters_trained': parameters_trained,
        'parameters_fused': written.parameters,
    }


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def require_one_writing(config: Config, path: Path, sha256: str | None = None) -> None:
    """Refuse NAME.py and NAME.pth of which only one was replaced, as by a process that was killed between the two.

    Args:
        config: of any kind; one that `write_fused` did not write goes with any file.
        path: of the weight file.
        sha256: of that, where it is known.

    Raises:
        CheckpointError: they were not written together.
    """
    described = Path(config.filename or '')
    if described.stem != path.stem or not (described.is_file() and path.is_file()):
        return
    named = weights_digest_in(described)
    if named is not None and named != (sha256 or file_sha256(path)):
        raise CheckpointError(
            f'{path}: {described} was not written with this file, but with an earlier or a later one of its name; '
            'fuse the trained checkpoint again, which writes both'
        )


def fused_config(config: Config, state: Mapping[str, Tensor]) -> Config:
    """`config` with its model in the fused form, able to load `state` key by key.

    Raises:
        ConfigError: the model has a norm that its config does not name.
    """
    described = copy.deepcopy(config)
    described.load_from, described.resume = None, False
    _without_norms(described.model)
    if 'backbone' in described.model:
        described.model.backbone.update(deploy=True, init_cfg=None)
    built = configs.build_model(copy.deepcopy(described))  # mmdet writes into the config that it builds from
    faults = matching.faults(built.state_dict(), state)
    if faults:
        raise ConfigError(
            f'no config describes this fused model to mm hosts ({"; ".join(faults)}); test and export it with the '
            'config it was trained with, whose FuseForTestHook fuses the model before the file is loaded'
        )
    return described


def _without_norms(node: Any) -> None:
    """Set every `norm_cfg` below `node` to None, in place; the backbone has `deploy` for that."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'norm_cfg':
                node[key] = None
            elif key != 'backbone':
                _without_norms(value)
    elif isinstance(node, list | tuple):
        for item in node:
            _without_norms(item)


def _arch(config: Config) -> Any:
    arch = config.model.get('backbone', {}).get('arch')
    return dict(arch) if isinstance(arch, Mapping) else arch
