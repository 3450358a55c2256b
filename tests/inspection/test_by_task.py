"""What is the same of the data of every task."""

import pytest
from listed_sets import Listed

from mobileone_mm.errors import DataError
from mobileone_mm.inspection.by_task import KINDS, content_of
from mobileone_mm.tasks.by_name import TASKS


def test_the_data_of_every_task_can_be_looked_at() -> None:
    assert KINDS.keys() == TASKS.keys()


@pytest.mark.parametrize('task', KINDS)
def test_a_set_without_an_image_is_refused(task: str) -> None:
    with pytest.raises(DataError, match='the data set holds no image; set its paths in the config'):
        content_of(Listed([]), task)
