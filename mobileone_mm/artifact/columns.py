"""Text that fits into a terminal."""

import textwrap

WIDTH = 80  # columns


def wrapped(text: str, indent: str, first: str | None = None) -> list[str]:
    """A text as indented lines, none for an empty one; words, such as paths, stay whole.

    Args:
        text: of one paragraph.
        indent: before every line.
        first: before the first line, instead.
    """
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def paragraph(text: str) -> str:
    """A text as lines that fit, all but the first indented."""
    return '\n'.join(wrapped(text, '  ', ''))
