"""Tasks by the names that a card and a config have for them."""

import pytest
from mmengine.config import Config

from mobileone_mm.errors import ConfigError
from mobileone_mm.tasks.by_name import OPTIONS, TASKS, task_for, task_named


@pytest.mark.parametrize('name', TASKS)
def test_a_task_is_what_its_name_says(name: str) -> None:
    task = task_named(name)
    assert task.name == name
    assert task.options is OPTIONS[name]
    assert task_for(Config({'default_scope': task.host})) is task


def test_a_config_of_another_host_is_refused() -> None:
    config = Config({'default_scope': 'mmflow'}, cfg_text='-', filename='x.py')
    with pytest.raises(ConfigError, match=r"^x\.py: default_scope is 'mmflow'; expected one of mmdet"):
        task_for(config)
