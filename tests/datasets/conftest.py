"""What mmengine logs while a set is read."""

from collections.abc import Iterator

import pytest
from mmengine.logging import MMLogger


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What mmengine logs, as a run sees it."""
    logger = MMLogger.get_instance('test_datasets', log_level='INFO')
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)
