"""How sizes are summed up."""

from mobileone_mm.inspection.content import Spread, spreads


def test_spreads_are_of_widths_and_of_heights() -> None:
    assert spreads([(10, 4), (30, 6), (14, 2)]) == (Spread(10, 14, 30), Spread(2, 4, 6))
    assert spreads([]) is None
