"""Lines of a config, as somebody types them who keeps them short; and numbers as they are said."""

from collections.abc import Sequence
from textwrap import wrap

from mobileone_mm.errors import printable
from mobileone_mm.openmmlab.own_config import WIDTH as CODE_WIDTH

WIDTH = 110  # characters of a line of words
MOST_LISTED = 10  # classes in a line


def comment(text: str) -> list[str]:
    """The lines of a comment."""
    return wrap(text, WIDTH, initial_indent='# ', subsequent_indent='# ', break_long_words=False)


def bracketed(name: str, parts: Sequence[str]) -> list[str]:
    """The lines of a list that is assigned: one, three, or one for each of the parts that may begin a line."""
    whole = ' '.join(parts)
    if len(f'{name} = [{whole}]') <= CODE_WIDTH:
        return [f'{name} = [{whole}]']
    fits = len(f'    {whole}') <= CODE_WIDTH
    return [f'{name} = [', *(f'    {part}' for part in ([whole] if fits else parts)), ']']


def counted(names: Sequence[str], counts: Sequence[int]) -> str:
    """Names with how many there are of each: 'cat 12, dog 7'."""
    pairs = [f'{printable(name)} {count:,}' for name, count in zip(names, counts, strict=True)]
    more = f' and {len(pairs) - MOST_LISTED} more' if len(pairs) > MOST_LISTED else ''
    return ', '.join(pairs[:MOST_LISTED]) + more


def sizes_said(sizes: Sequence[tuple[float, float]]) -> str:
    """The sizes of pictures: '640 x 480 px', or their range."""
    unique = sorted({(int(width), int(height)) for width, height in sizes})
    if not unique:
        return 'sizes unknown'
    if len(unique) == 1:
        return f'{unique[0][0]} x {unique[0][1]} px'
    widths, heights = zip(*unique, strict=True)
    return f'{min(widths)} to {max(widths)} px wide and {min(heights)} to {max(heights)} px high'


def share(value: float) -> str:
    """A share as a whole percentage: '38 %'; one that is nearly all or nothing is not said to be it."""
    whole = round(100 * value)
    if whole == 100 and value < 1:
        return 'over 99 %'
    return 'under 1 %' if whole == 0 and value > 0 else f'{whole} %'
