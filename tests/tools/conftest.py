"""Fixtures that the tools' tests share with the tests of what is below the tools."""

from ..export.conftest import detector, exported, make_detector  # noqa: F401, TID252
