"""What modules that load weights into a backbone know of it, without knowing which backbone it is."""

from typing import Any

from mmengine.model import BaseModule


class BlockBackbone(BaseModule):  # type: ignore[misc]  # mmengine is untyped
    """A backbone of MobileOneBlocks.

    Attributes:
        init_cfg: mm initialisation, one rule or a list of rules.
        deploy: whether it is in the fused form.
        awaits_calibration: whether fused weights were expanded into it whose batch statistics are still to be measured
            (`mobileone_mm.weights.expand`).
    """

    init_cfg: Any
    deploy: bool
    awaits_calibration: bool = False
