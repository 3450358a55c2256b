"""How mmengine reaches this package's loader: the weight initialiser that MobileOne's `Pretrained` init_cfg means."""

from typing import Any

from torch import nn

from mobileone_mm.errors import ConfigError
from mobileone_mm.registry import WEIGHT_INITIALIZERS
from mobileone_mm.weights.checkpoint import load_backbone_weights


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
