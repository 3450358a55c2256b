"""Hooks for mm configs: `dict(type='mobileone_mm.FuseForTestHook')` in `custom_hooks`."""

from mobileone_mm.hooks.anchor_reach import AnchorReachHook
from mobileone_mm.hooks.expand import ExpandHook
from mobileone_mm.hooks.fuse_for_test import FuseForTestHook
from mobileone_mm.hooks.invalid_loss import StopOnInvalidLoss
from mobileone_mm.hooks.plain_checkpoint import PlainCheckpointHook
from mobileone_mm.hooks.randomness import RandomnessHook
from mobileone_mm.hooks.save_fused import SaveFusedHook
from mobileone_mm.hooks.training_page import TrainingPageHook

__all__ = [
    'AnchorReachHook',
    'ExpandHook',
    'FuseForTestHook',
    'PlainCheckpointHook',
    'RandomnessHook',
    'SaveFusedHook',
    'StopOnInvalidLoss',
    'TrainingPageHook',
]
