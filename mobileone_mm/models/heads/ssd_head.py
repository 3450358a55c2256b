"""mmdet's SSD head in a form that also predicts."""

from typing import Any, cast

from torch import nn

from mobileone_mm.registry import MODELS


def ssd_head(**options: Any) -> nn.Module:
    """Build mmdet's own `SSDHead` from its own options, able to predict.

    mmdet 3.3.0 reads `self.loss_cls` in `BaseDenseHead._predict_by_feat_single`, an attribute that its SSDHead alone
    among the dense heads never sets: it trains and then dies at the first validation. What is returned is an instance
    of mmdet's class and of no other, so hosts, hooks and the exporter treat it as any SSD head.
    """
    # Here and not above: a segmenter that names this scope loads this module and need not have mmdet.
    from mmdet.models.dense_heads import SSDHead

    head: Any = SSDHead(**options)
    if not hasattr(head, 'loss_cls'):
        head.loss_cls = None
    return cast(nn.Module, head)


MODELS.register_module(name='SSDHead', module=ssd_head)
