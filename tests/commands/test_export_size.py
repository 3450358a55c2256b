"""The input size as it is typed."""

import pytest

from mobileone_mm.commands.export import parse_size
from mobileone_mm.errors import UsageError


def test_size_is_width_by_height() -> None:
    assert parse_size('320x240') == (320, 240)


@pytest.mark.parametrize('text', ['100000x100000', '4097x1', f'1x{"9" * 5000}'])
def test_a_size_beyond_any_model_is_refused_by_the_limit(text: str) -> None:
    with pytest.raises(UsageError, match=rf'`input_size`: {text} given, expected sides of at most 4096 pixels'):
        parse_size(text)


@pytest.mark.parametrize('text', ['', '320', '320x', '0x320', '320x-1', '320X240', ' 320x240', '3.2x4', '320x240x3'])
def test_bad_size(text: str) -> None:
    with pytest.raises(UsageError, match='expected WIDTHxHEIGHT in pixels, such as 320x320'):
        parse_size(text)
