"""The table and the report: whole results beside the paper's, partial ones that cannot be taken for whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from mobileone_mm.artifact.columns import WIDTH
from mobileone_mm.datasets.corrupt import CORRUPTIONS, SEVERITIES
from mobileone_mm.robustness.published import ALEXNET, OF_A, OF_C, PICTURES, SKETCH
from mobileone_mm.robustness.results import Part, Results
from mobileone_mm.robustness.sets import Corruption, PictureSet

ROOT = Path('data')


def plain(name: str, top1: float) -> Part:
    return Part(PictureSet(name, ROOT), PICTURES[name], PICTURES[name], (), top1, top1 + 10)


def corrupted(name: str, severity: int, made: bool = False) -> Part:
    """AlexNet's own result."""
    top1 = 100 * (1 - ALEXNET[name][severity - 1])
    count = PICTURES[OF_C]
    return Part(PictureSet(OF_C, ROOT, Corruption(name, severity, made)), count, count, (), top1, top1)


def results(*parts: Part, variant: str = 's1') -> Results:
    return Results('c.py', 'best.pth', variant, 'cpu', parts, None)


ALL = [corrupted(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]


def rows(found: Results) -> dict[str, list[str]]:
    """Cells by the first column, which a row of figures has in its first 18 characters."""
    lines = found.table().splitlines()
    assert max(map(len, lines)) <= WIDTH
    return {line[:18].strip(): line[18:].split() for line in lines if line}


def test_a_whole_result_stands_beside_the_papers() -> None:
    found = results(plain(OF_A, 2.7067), plain(SKETCH, 22.5), *ALL)
    table = rows(found)
    assert table[''] == ['1', '2', '3', '4', '5', 'mean', 'AlexNet', 'CE']
    assert table[OF_A] == ['7500', '2.71', '12.71', '2.7']
    assert table[SKETCH] == ['50889', '22.50', '32.50', '22.6']
    assert table['fog'] == ['67.47', '76.05', '84.38', '87.26', '94.50', '81.93', '81.93', '100.00']
    assert table['mCE'] == ['100.00']
    assert table["mCE, paper's S1"] == ['80.4']
    assert '*' not in found.table()
    assert (found.notes, found.as_dict()['mce']) == ([], pytest.approx(100))


def test_of_another_model_the_paper_says_nothing() -> None:
    found = results(plain(OF_A, 3), *ALL, variant='')
    assert 'paper' not in found.table()
    assert (rows(found)[OF_A], found.as_dict()['paper_table_12']) == (['7500', '3.00', '13.00'], {})


@pytest.mark.parametrize(
    ('changes', 'note'),
    [
        ({'pictures': 7}, 'ImageNet-A: 7 of 7500 pictures'),
        ({'pictures': 7, 'there': 7}, 'ImageNet-A: 7 of 7500 pictures, 7 on disk'),
        ({'pictures': 8000, 'there': 8000}, 'ImageNet-A: 8000 of 7500 pictures, 8000 on disk'),
        ({'lacking': ('n1', 'n2')}, 'ImageNet-A: 7500 of 7500 pictures, none of 2 of the 200 classes: n1, n2'),
        ({'lacking': tuple('abcdefg')}, 'ImageNet-A: 7500 of 7500 pictures, none of 7 of the 200 classes'),
    ],
)
def test_a_set_that_is_not_whole_is_marked_and_says_why(changes: dict[str, object], note: str) -> None:
    found = results(replace(plain(OF_A, 3), **changes), plain(SKETCH, 20))  # type: ignore[arg-type]
    assert found.notes == [note]
    assert {f'{OF_A} *', SKETCH} <= set(rows(found))
    assert 'not the whole set as published, and not to be compared with the paper' in found.table()
    assert [part['whole'] for part in found.as_dict()['sets']] == [False, True]


def test_a_choice_of_corruptions_has_no_mce() -> None:
    found = results(corrupted('fog', 1), corrupted('fog', 4), corrupted('snow', 1), corrupted('snow', 4))
    table = rows(found)
    assert 'mCE' not in table
    assert table['mean CE *'] == ['100.00']
    assert found.as_dict()['mce'] is None
    assert found.notes == ['ImageNet-C: 2 of 15 corruptions (fog, snow), severities 1, 4 only']
    found = results(*(corrupted(name, 3) for name in CORRUPTIONS))
    assert found.notes == ['ImageNet-C: severity 3 only']
    found = results(*(corrupted('fog', severity) for severity in SEVERITIES))
    assert found.notes == ['ImageNet-C: 1 of 15 corruptions (fog), all severities']


def test_imagenet_c_with_fewer_pictures_says_of_which_parts() -> None:
    found = results(*(replace(part, pictures=10) for part in ALL))
    assert rows(found)['mCE *'] == ['100.00']
    assert found.notes == ['ImageNet-C: of each part, 10 of 50000 pictures']
    found = results(replace(ALL[0], pictures=10), *ALL[1:])
    assert found.notes == ['ImageNet-C: 1 of 75 parts are not whole, such as gaussian_noise 1: 10 of 50000 pictures']
    assert found.as_dict()['mce'] is None


def test_what_was_corrupted_here_is_said_so() -> None:
    found = results(*(corrupted(name, severity, made=True) for name in CORRUPTIONS for severity in SEVERITIES))
    assert found.notes == ['ImageNet-C: corrupted here, with other random numbers than the published pictures']
    assert 'mCE *' in rows(found)
    assert all(part['made_here'] for part in found.as_dict()['sets'])
