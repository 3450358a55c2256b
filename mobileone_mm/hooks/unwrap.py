"""The model that a runner trains, without what is wrapped around it, and a copy of it on the CPU."""

import copy

from mmengine.model import BaseModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> BaseModel:
    """The mm model inside DistributedDataParallel and the like."""
    while is_model_wrapper(model):
        model = model.module  # type: ignore[assignment]
    return model


def on_cpu(model: nn.Module) -> nn.Module:
    """A copy of `model` on the CPU."""
    return copy.deepcopy(model).cpu()
