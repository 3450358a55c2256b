"""Fixtures that the commands' tests share with the tests of what is below the commands."""

from ..training.conftest import config, shapes, trained, write_config  # noqa: F401, TID252
