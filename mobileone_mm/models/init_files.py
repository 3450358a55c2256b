"""mmengine's initialisation, with the files of a `Pretrained` init_cfg read by this package."""

from collections.abc import Callable
from typing import Any

from mmengine.model import initialize

from mobileone_mm.registry import SCOPE


def init_weights_and_read(module: Any, init_weights: Callable[[], None], reader: str) -> None:
    """Initialise a module, then fill it from the files that `Pretrained` rules of its `init_cfg` name.

    mmengine would leave out in silence what does not fit.

    Args:
        module: a BaseModule.
        init_weights: mmengine's own, of this module.
        reader: the name in our WEIGHT_INITIALIZERS of who reads the files: who reads them stands above who is filled.

    Raises:
        CheckpointError: a file does not belong to this module.
    """
    given = module.init_cfg or []  # nothing where `leave_out_files` was at work
    rules = given if isinstance(given, list) else [given]
    files = [rule for rule in rules if rule['type'] == 'Pretrained']
    kept, module.init_cfg = module.init_cfg, [rule for rule in rules if rule not in files]
    init_weights()
    module.init_cfg = kept
    initialize(module, [{**rule, 'type': f'{SCOPE}.{reader}'} for rule in files])  # last, as mmengine does
