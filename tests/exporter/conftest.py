"""A report to make pages of."""

from dataclasses import replace

import pytest
from page_reader import EVIL

from mobileone_mm.exporter.report import Report


@pytest.fixture(scope='module')
def shown(exported: Report) -> Report:
    """A real report, but of a class with an evil name."""
    return replace(exported, info=replace(exported.info, classes=(EVIL, 'square', 'triangle')))
