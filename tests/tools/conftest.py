"""Fixtures that the tools' tests share with the tests of what is below the tools."""

from ..export.conftest import detector, exported, make_detector, onnx_files, onnx_reports  # noqa: F401, TID252
