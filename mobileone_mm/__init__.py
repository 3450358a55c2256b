"""MobileOne for OpenMMLab, and a checked way from a trained model to Core ML."""

__version__ = '0.1.0'
