"""How a config names the classifier that learns from teachers: `type='mobileone_mm.DistilledClassifier'`."""

from typing import Any

from torch import nn

from mobileone_mm.registry import MODELS


def distilled_classifier(**options: Any) -> nn.Module:
    """Build a `mobileone_mm.models.classifiers.distilled_classifier.DistilledClassifier` from its own options."""
    # Here and not above: a segmenter that names this scope loads this module and need not have mmpretrain.
    from mobileone_mm.models.classifiers.distilled_classifier import DistilledClassifier

    return DistilledClassifier(**options)


MODELS.register_module(name='DistilledClassifier', module=distilled_classifier)
