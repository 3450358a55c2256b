"""Source of values holds no double braces, and is the source of the same values."""

import ast
from typing import Any

import pytest
from odd_names import NAMES

from mobileone_mm.openmmlab.config_text import without_double_braces
from mobileone_mm.openmmlab.own_config import templates

VALUES: dict[str, Any] = {
    'names': NAMES,
    'nested': {'of': [{'b': (NAMES, [*NAMES, {}])}], 'empty': {}, 'sets': [{('{', '{')}, {frozenset({1})}]},
    **{f'one_{index}': name for index, name in enumerate(NAMES)},
}


@pytest.mark.parametrize('value', VALUES.values(), ids=VALUES)
def test_a_value_is_the_same_without_double_braces(value: Any) -> None:
    source = without_double_braces(repr(value))
    assert '{{' not in source
    assert ast.literal_eval(source.replace('frozenset({1})', '1')) == ast.literal_eval(
        repr(value).replace('frozenset({1})', '1')
    )


@pytest.mark.parametrize('name', templates())
def test_templates_have_nothing_to_substitute(name: str) -> None:
    assert '{{' not in templates()[name].read_text(encoding='utf-8')
