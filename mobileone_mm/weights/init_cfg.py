"""How mmengine reaches this package's loader: the weight initialiser that MobileOne's `Pretrained` init_cfg means."""

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
