"""Offer `mmcv._ext` from mobileone_mm where mmcv has no compiled one; put in place by `mobileone_mm_startup.pth`.

This runs in every interpreter of the environment, so it imports nothing that the interpreter has not loaded already.
The finder stands at the end of `sys.meta_path` and answers one name: a compiled `mmcv._ext` is always found before it.
"""

import sys


class MmcvExtensionFinder:
    """Answers `mmcv._ext`, and only after every other finder has passed."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # untyped: it must not import typing
        """Return the spec of the served module, or None if mobileone_mm is gone."""
        if name != 'mmcv._ext':
            return None
        try:
            from mobileone_mm.openmmlab.mmcv_ext import served_spec
        except ModuleNotFoundError:
            return None
        return served_spec(name)


sys.meta_path.append(MmcvExtensionFinder)
