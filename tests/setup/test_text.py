"""Lines of a config: as the formatter has them, and worth what they were made of."""

import ast

import pytest

from mobileone_mm.setup.text import WIDEST, numbers_lines


@pytest.mark.parametrize(('count', 'lines'), [(1, 1), (3, 1), (40, 42)])
def test_numbers_stand_in_as_many_lines_as_they_need(count: int, lines: int) -> None:
    numbers = [0.25 + index for index in range(count)]
    written = numbers_lines('class_weight', numbers)
    assert len(written) == lines
    assert all(len(line) <= WIDEST for line in written)
    (line,) = ast.parse('\n'.join(written)).body
    assert isinstance(line, ast.Assign)
    assert (ast.unparse(line.targets[0]), ast.literal_eval(line.value)) == ('class_weight', numbers)
