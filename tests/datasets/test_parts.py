"""What is held out: the same names each time, as many as asked for, and none moved by names from elsewhere."""

import pytest

from mobileone_mm.datasets.parts import held_out, require_part
from mobileone_mm.errors import DataError

NAMES = [f'{index}.jpg' for index in range(50)]


@pytest.mark.parametrize(
    ('count', 'share', 'held'), [(0, 0.2, 0), (1, 0.2, 0), (2, 0.2, 1), (2, 0.9, 1), (10, 0.2, 2), (50, 0.2, 10)]
)
def test_at_least_one_is_held_out_and_one_is_not(count: int, share: float, held: int) -> None:
    assert len(held_out(NAMES[:count], share, 0)) == held


def test_the_order_of_the_names_says_nothing_and_another_seed_chooses_others() -> None:
    chosen = held_out(NAMES, 0.2, 0)
    assert held_out(NAMES[::-1], 0.2, 0) == chosen <= set(NAMES)
    assert held_out(NAMES, 0.2, 1) != chosen


def test_a_new_name_moves_at_most_one_other() -> None:
    for new in ('a.jpg', 'b.jpg', 'c.jpg'):
        assert len(held_out(NAMES, 0.2, 0) ^ (held_out([*NAMES, new], 0.2, 0) - {new})) <= 1


@pytest.mark.parametrize(
    ('part', 'share', 'message'),
    [('test', 0.2, "part='test' given, expected one of all, train, val"), ('val', 1.0, r'val_share=1\.0 given')],
)
def test_what_there_is_not_is_refused(part: str, share: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        require_part(part, share)
    require_part('all', 7)  # of what is not parted, nothing is held out
