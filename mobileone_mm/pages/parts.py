"""What a page is built of: HTML of texts, sections, tables, bars and numbers.

Plain texts that are given are escaped here; what is called HTML already is.
"""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

from mobileone_mm.errors import is_shown
from mobileone_mm.flags import FLAGS

SMALLEST_SHARE = 0.001  # smaller ones are said in words
UNKNOWN = '\N{REPLACEMENT CHARACTER}'
JOINT = re.compile(r'(?<=\w)[/\\_](?=\w)')  # between the parts of a path or a file name
OPTION = re.compile('`([^`]+)`')  # how the library names an option


def plain(text: str) -> str:
    """A text on one line, escaped; what is no character to be seen, such as one that turns the line round, is not."""
    return escape(''.join(one if is_shown(one) else UNKNOWN for one in text))


def breakable(text: str) -> str:
    """A text that may be a long path or file name: plain, and broken between its parts where it does not fit."""
    return JOINT.sub(r'\g<0><wbr>', plain(text))


def prose(text: str) -> str:
    """A sentence of ours, in which options stand in backticks: as they are typed."""
    return OPTION.sub(lambda name: f'<code>{FLAGS.get(name[1], name[1])}</code>', plain(text))


def begun(sentence: str) -> str:
    """A text, not escaped, that begins a sentence."""
    return sentence[:1].upper() + sentence[1:]


def fold(title: str, body: str) -> str:
    """What is there for those who ask; title and body are HTML."""
    return f'<details>\n<summary>{title}</summary>\n{body}\n</details>'


def section(title: str, intro: str, body: str) -> str:
    """A section; title, intro and body are HTML."""
    return f'<section>\n<h2>{title}</h2>\n<p>{intro}</p>\n{body}\n</section>'


def table(kind: str, heads: str, rows: Iterable[str]) -> str:
    """A table that scrolls by itself; heads and rows are HTML."""
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n'
        + '\n'.join(rows)
        + '\n</tbody>\n</table></div>'
    )


def bars(rows: Sequence[tuple[str, float, str]], full: float | None = None) -> str:
    """Names with a bar for their value, and the value as text; `full` fills a bar, else the largest value does."""
    largest = full or max((value for _, value, _ in rows), default=0) or 1
    items = [
        f'<li><span class="name">{plain(name)}</span><span class="number">{plain(text)}</span>'
        f'{bar(value / largest)}</li>'
        for name, value, text in rows
    ]
    return f'<ul class="counts">{"".join(items)}</ul>'


def bar(share: float) -> str:
    """A bar that a share of it, 0..1, fills."""
    filled = f'<i style="width:{100 * min(share, 1):.2f}%"></i>' if share else ''
    return f'<span class="bar">{filled}</span>'


def small(note: str) -> str:
    """A note below a value; nothing without one."""
    return f'<small>{plain(note)}</small>' if note else ''


def percent(share: float) -> str:
    """A share of a limit in percent."""
    if not math.isfinite(share):
        return 'beyond it'
    if 0 < share < SMALLEST_SHARE:
        return f'under {100 * SMALLEST_SHARE:g} %'
    return f'{100 * share:.1f} %' if 0 < share < 1 else f'{100 * share:.0f} %'


def number(value: float | None) -> str:
    """A number to three digits; small ones as a power of ten."""
    if value is None:
        return '&ndash;'
    if not math.isfinite(value):
        return 'no number'
    if value == 0 or 1e-3 <= abs(value) < 1e3:
        return f'{value:.3g}'
    if abs(value) >= 1e3:
        return f'{value:,.0f}'
    digits, _, power = f'{value:.1e}'.partition('e')
    factor = '' if digits == '1.0' else f'{digits} &times; '
    return f'{factor}10<sup>{int(power)}</sup>'.replace('-', '&minus;')
