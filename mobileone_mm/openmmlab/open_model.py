"""A config and a weight file become a model."""

import logging
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config
from torch import nn

from mobileone_mm import reparam
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.fused_file import require_one_writing
from mobileone_mm.openmmlab.trained_with import differences_from, require_trained_with
from mobileone_mm.weights.checkpoint import Checkpoint, load_whole, read_checkpoint

LOGGER = logging.getLogger(__name__)


def open_model(
    config: Config,
    path: str | Path,
    require: Callable[[nn.Module], None] | None = None,
    config_wins: bool = False,
) -> tuple[nn.Module, Checkpoint]:
    """The config's model in eval mode with a file's weights, and the file; a fused file gives a fused model.

    A classification file in any layout also fits a config whose model is a classifier. `require` may refuse the model,
    which is in eval mode, before the file is read. Where the file tells the config it was trained with, this one has to
    describe the same model, unless `config_wins`.

    Raises:
        CheckpointError: no such file, or it does not belong to this config's model: entry by entry, or by what it says.
        ConfigError: the model cannot be built.
    """
    model = configs.build_model(config).eval()
    if require is not None:
        require(model)
    checkpoint = read_checkpoint(path)
    require_one_writing(config, checkpoint.path, checkpoint.sha256)
    if checkpoint.form == 'fused':
        reparam.fuse(model, inplace=True)
    load_whole(model, checkpoint)
    if not config_wins:
        require_trained_with(config, checkpoint)
    elif found := differences_from(config, checkpoint):
        LOGGER.warning('%s: trained with another config: %s', checkpoint.path, found)
    return model, checkpoint
