"""How mmengine reaches this package's loader: the weight initialisers that a `Pretrained` init_cfg means."""

from pathlib import Path
from typing import Any

from torch import nn

from mobileone_mm.errors import CheckpointError, ConfigError
from mobileone_mm.registry import WEIGHT_INITIALIZERS
from mobileone_mm.weights import matching
from mobileone_mm.weights.checkpoint import load_backbone_weights, load_weights, read_checkpoint
from mobileone_mm.weights.download import local_file
from mobileone_mm.weights.names import listed


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """Fills a backbone from a weight file in any layout and form (`checkpoint.load_backbone_weights`).

    Args:
        checkpoint: path or URL.
        prefix: 'backbone.' or nothing; a backbone is found by itself in a file of any layout.
        without_se: leave out the file's squeeze-excite, for a backbone that has none (`se_cfg=None`).
    """

    def __init__(self, checkpoint: str, prefix: str | None = None, without_se: bool = False) -> None:
        if prefix not in (None, 'backbone', 'backbone.'):
            raise ConfigError(
                f'init_cfg with prefix={prefix!r} given; leave it out: the backbone in a file '
                'of any layout is found by itself'
            )
        self.checkpoint = checkpoint
        self.without_se = without_se

    def __call__(self, module: nn.Module) -> None:
        load_backbone_weights(module, self.checkpoint, self.without_se)


@WEIGHT_INITIALIZERS.register_module()
class PretrainedClassifier:
    """Fills a whole classifier, its linear layer included, from a weight file.

    One with a MobileOne takes the layouts and forms that `checkpoint.load_weights` does. Any other gets the file entry
    by entry, by the names that it makes of them itself, and has to be filled by it.

    Args:
        checkpoint: path or URL.
        key: where a config names it, for messages.
    """

    def __init__(self, checkpoint: str, key: str = 'model.init_cfg.checkpoint') -> None:
        self.checkpoint = checkpoint
        self.key = key

    def __call__(self, module: nn.Module) -> None:
        path = local_file(self.checkpoint, self.key)
        if matching.backbone_prefix(module) is None:
            _fill(module, path)
            return
        weights = load_weights(module, path).weights
        if not (weights.classifier or weights.rest):
            raise CheckpointError(
                f'{path}: holds a backbone alone, and `{self.key}` is for a whole classifier; expected a file with the '
                'linear layer too'
            )


def _fill(network: nn.Module, path: Path) -> None:
    """Load a file of a network that is not ours."""
    state = read_checkpoint(path).state_dict
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys  # a host's hooks may rename what is there
    except RuntimeError as error:  # of another shape
        raise CheckpointError(
            f'{path}: does not fit {type(network).__name__}: {" ".join(str(error).split())}'
        ) from error
    missing = [key for key in missing if not key.endswith('num_batches_tracked')]
    if missing:
        raise CheckpointError(f'{path}: does not fit {type(network).__name__}: missing {listed(missing)}')


def leave_out_files(model: nn.Module) -> None:
    """Take whatever reads a file out of a model's `init_cfg`s: its weights are going to come from a checkpoint."""
    module: Any
    for module in model.modules():
        given = getattr(module, 'init_cfg', None) or []
        rules = given if isinstance(given, list | tuple) else [given]
        kept = [rule for rule in rules if not _reads_a_file(rule)]
        if len(kept) < len(rules):
            module.init_cfg = kept or None  # some hosts take a list for one with files


def _reads_a_file(rule: Any) -> bool:
    kind = rule['type']
    name = kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__
    return name in ('Pretrained', 'PretrainedInit')  # in whichever registry
