"""What stands around the sections of a page."""

from page_reader import EVIL, Reader

from mobileone_mm.pages.frame import chips, fact


def test_names_have_their_colours_or_none() -> None:
    assert chips(['a', 'b'], ['#112233', '#445566']).count('style="--colour:#') == 2
    plain = chips([EVIL, 'b'], [])
    assert 'style' not in plain
    assert Reader(plain).texts == [EVIL, 'b']


def test_a_fact_has_its_note_below_it() -> None:
    assert Reader(fact('As of', '10:00', 'begun 9:00')).texts == ['As of', '10:00', 'begun 9:00']
