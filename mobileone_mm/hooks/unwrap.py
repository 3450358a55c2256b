"""The model that a runner's data-parallel wrappers hold."""

from mmengine.model import BaseModel, is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> BaseModel:
    """The mm model inside DistributedDataParallel and the like."""
    while is_model_wrapper(model):
        model = model.module  # type: ignore[assignment]
    return model
