"""The frame that all pages have in common: head, style, what stands above the sections and below them."""

from collections.abc import Sequence
from importlib import resources
from string import Template

from mobileone_mm.pages.parts import breakable, plain, small


def framed(
    generator: str, title: str, kind: str, name: str, answer: str, facts: Sequence[str], sections: Sequence[str]
) -> str:
    """A whole page.

    Args:
        generator: what kind of page it is, by which a later run knows it (`outputs`).
        title: of the window.
        kind: what the page is about, above its name.
        name: of what it is about.
        answer: HTML of what a reader wants to know first.
        facts: HTML of each fact.
        sections: HTML of each section.
    """
    frame = Template(resources.files(__package__).joinpath('templates/page.html').read_text(encoding='utf-8'))
    return frame.substitute(
        generator=generator,
        title=plain(title),
        kind=plain(kind),
        name=breakable(name),
        answer=answer,
        facts='\n'.join(facts),
        sections='\n'.join(sections),
    )


def fact(term: str, text: str, note: str = '', wide: bool = False) -> str:
    """A fact as HTML: what it is, its value, and what is worth saying beside it."""
    return fact_of(term, f'{breakable(text)}{small(note)}', wide)


def fact_of(term: str, value: str, wide: bool = False) -> str:
    """A fact whose value is HTML already; a wide one takes two columns."""
    start = '<div class="wide">' if wide else '<div>'
    return f'{start}<dt>{plain(term)}</dt><dd>{value}</dd></div>'


def chips(names: Sequence[str], colours: Sequence[str]) -> str:
    """Names, each with its colour, #rrggbb, where there are colours."""
    styles = [f' style="--colour:{colour}"' for colour in colours] or [''] * len(names)
    items = [f'<li{style}>{plain(name)}</li>' for name, style in zip(names, styles, strict=True)]
    return f'<ul class="classes">{"".join(items)}</ul>'
