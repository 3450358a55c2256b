"""Which output of a classifier stands for which folder: the lists as others have them."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mobileone_mm.robustness.synsets import labels, synsets

# How the masks in eval.py of hendrycks/natural-adv-examples and hendrycks/imagenet-r begin and end, and their sum.
MASKS = {
    'A': ([6, 11, 13, 15, 17, 22, 23, 27], [981, 984, 986, 987, 988], 102178),
    'R': ([1, 2, 4, 6, 8, 9, 11, 13], [967, 980, 981, 983, 988], 86135),
}
TIMM = {'': 'imagenet_synsets.txt', 'A': 'imagenet_a_synsets.txt', 'R': 'imagenet_r_synsets.txt'}


def test_there_are_a_thousand_in_the_order_of_their_names() -> None:
    assert len(synsets()) == 1000
    assert list(synsets()) == sorted(set(synsets()))  # as mmpretrain and torchvision label folders


@pytest.mark.parametrize('mark', MASKS)
def test_the_two_hundred_are_those_of_their_authors(mark: str) -> None:
    begin, end, total = MASKS[mark]
    found = labels(synsets(mark))
    assert len(found) == 200
    assert found == sorted(found)
    assert (found[: len(begin)], found[-len(end) :], sum(found)) == (begin, end, total)


def test_of_the_two_hundreds_eighty_six_are_the_same() -> None:
    assert len(set(synsets('A')) & set(synsets('R'))) == 86


@pytest.mark.parametrize('mark', TIMM)
def test_the_lists_are_timms(mark: str) -> None:
    timm = find_spec('timm')
    if timm is None or timm.origin is None:
        pytest.skip('timm is not installed')
    listed = (Path(timm.origin).parent / 'data/_info' / TIMM[mark]).read_text().split()
    assert list(synsets(mark)) == listed


def words(name: str) -> set[str]:
    return set(name.lower().replace('_', ' ').replace('-', ' ').replace("'", '').replace(',', ' ').split())


def test_mmpretrains_names_are_those_of_the_ids(real_data: Path) -> None:
    rows = [line.split('\t') for line in (real_data / 'data/imagenet_sample200/classes.txt').read_text().splitlines()]
    assert [synset for _, synset, _ in rows] == list(synsets())
    other = [
        (name, theirs)
        for (_, _, name), theirs in zip(rows, IMAGENET_CATEGORIES, strict=True)
        if not words(name) & words(theirs)
    ]
    assert other == []
