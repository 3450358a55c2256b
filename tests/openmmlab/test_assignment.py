"""An assignment of a config: as the formatter has it, and worth what it was made of."""

import ast

import pytest

from mobileone_mm.openmmlab.own_config import WIDTH, assignment


@pytest.mark.parametrize(('count', 'lines'), [(1, 1), (3, 1), (40, 42)])
@pytest.mark.parametrize('kind', [list, tuple])
def test_numbers_stand_in_as_many_lines_as_they_need(count: int, lines: int, kind: type) -> None:
    numbers = kind(0.25 + index for index in range(count))
    written = assignment('class_weight', repr(numbers))
    assert written.count('\n') + 1 == lines
    assert all(len(line) <= WIDTH for line in written.split('\n'))
    (line,) = ast.parse(written).body
    assert isinstance(line, ast.Assign)
    assert (ast.unparse(line.targets[0]), ast.literal_eval(line.value)) == ('class_weight', numbers)
