"""What is held out: the same names each time, as many as asked for, and none moved by names from elsewhere."""

import pytest

from mobileone_mm.datasets.parts import held_out, names_of_part, require_part
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


@pytest.mark.parametrize('seed', range(8))
def test_a_class_of_two_names_keeps_one_in_training(seed: int) -> None:
    pairs = [NAMES[2 * index : 2 * index + 2] for index in range(10)]
    classes: dict[str, tuple[str, ...]] = dict.fromkeys(NAMES, ('often',))
    for number, pair in enumerate(pairs):
        classes |= dict.fromkeys(pair, ('often', f'rare {number}'))
    classes[NAMES[30]] = ('once',)
    held = held_out(NAMES, 0.2, seed, classes)
    assert len(held) == 10
    assert all(set(pair) - held for pair in pairs)
    assert NAMES[30] not in held
    assert held_out(NAMES[::-1], 0.2, seed, classes) == held
    assert held_out(NAMES, 0.2, seed, dict.fromkeys(NAMES, ('often',))) == held_out(NAMES, 0.2, seed)


def test_names_without_a_common_class_are_split_all_the_same() -> None:
    assert len(held_out(NAMES, 0.2, 0, {name: (name,) for name in NAMES})) == 1
    assert len(held_out(NAMES, 0.2, 0, {name: () for name in NAMES})) == 10
    assert held_out(NAMES[:1], 0.2, 0, {NAMES[0]: ('cat',)}) == held_out([], 0.2, 0, {}) == set()


def test_parts_are_disjoint_and_together_everything() -> None:
    train, val = (names_of_part(part, NAMES, 0.2, 0) for part in ('train', 'val'))
    assert train | val == names_of_part('all', NAMES, 0.2, 0) == set(NAMES)
    assert not train & val
    assert len(val) == 10
    with pytest.raises(DataError, match='1 images cannot be split into training and validation'):
        names_of_part('val', NAMES[:1], 0.2, 0)


@pytest.mark.parametrize(
    ('part', 'share', 'message'),
    [('test', 0.2, "part='test' given, expected one of all, train, val"), ('val', 1.0, r'val_share=1\.0 given')],
)
def test_what_there_is_not_is_refused(part: str, share: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        require_part(part, share)
    require_part('all', 7)  # of what is not parted, nothing is held out
