"""Hooks for mm configs: `dict(type='mobileone_mm.FuseForTestHook')` in `custom_hooks`."""

from mobileone_mm.hooks.checkpoint import PlainCheckpointHook
from mobileone_mm.hooks.expand import ExpandHook
from mobileone_mm.hooks.fuse import FuseForTestHook, SaveFusedHook
from mobileone_mm.hooks.loss import StopOnInvalidLoss

__all__ = ['ExpandHook', 'FuseForTestHook', 'PlainCheckpointHook', 'SaveFusedHook', 'StopOnInvalidLoss']
