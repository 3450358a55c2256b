"""A config for a user's own data: a shipped one with its first lines filled in, which works wherever it is put."""

import ast
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.config_text import without_double_braces
from mobileone_mm.openmmlab.shipped import config, shipped

YOURS = '# --- yours'  # begins the comment above the lines that a template's user fills in
FOLLOWS = '# --- follows'  # begins the comment above what needs no change
BASE = '_base_'
INPUT_SIZE = 'input_size'
WIDTH = 120  # columns of a line
INDENT = '    '


def templates() -> Mapping[str, Path]:
    """The shipped configs that are made to be filled in, by name."""
    return {name: path for name, path in shipped().items() if YOURS in path.read_text(encoding='utf-8')}


def own_config(
    template: str,
    classes: Sequence[str] | None = None,
    data_root: str | None = None,
    others: Mapping[str, Any] | None = None,
) -> str:
    """The text of a template, with its `_base_` found by name instead of beside it.

    Args:
        template: one of `templates()`, by name.
        classes: the class names, in the order of the labels; without them, the template's.
        data_root: the folder that the other paths begin in; without it, the template's.
        others: values of other variables that the template sets, also of those that it sets two at a time.

    Raises:
        ConfigError: there is no such template, or it sets no such variable.
    """
    path = Path(config(template))
    if path.stem not in templates():
        raise ConfigError(f'{template}: has no lines to fill in; those that have: {", ".join(templates())}')
    text = path.read_text(encoding='utf-8')
    base = Path(ast.literal_eval(_assignment(text, BASE).value)).stem
    text = _assigned(text, BASE, f"__import__('mobileone_mm').config({base!r})")
    if classes is not None:
        text = _assigned(text, 'classes', repr(tuple(classes)))
    if data_root is not None:
        text = _assigned(text, 'data_root', repr(f'{data_root.rstrip("/")}/'))
    for name in others or {}:
        if name not in variables(text):
            raise ConfigError(f'{template}: has no line for {name}; it sets {", ".join(variables(text))}')
    return without_double_braces(_filled(text, others or {}))


def with_settings(
    text: str, title: str, variant: str, settings: Sequence[str], changed: Mapping[str, str], chosen: Collection[str]
) -> str:
    """The text of an own config with settings of its own between the lines that are yours and what follows from them.

    Args:
        text: as `own_config` gives it.
        title: the comment that it begins with, instead of the template's.
        variant: 's0' to 's4', in place of its base's.
        settings: lines.
        changed: the text of values, by the variable that the template sets.
        chosen: variables whose lines the settings replace.

    Raises:
        ConfigError: the base has no such variant.
    """
    base = _base_of(text)
    other = re.sub(r'_s\d(?=_|$)', f'_{variant}', base)
    if other not in shipped():
        pattern = re.sub(r'_s\d(?=_|$)', '_s?', base)
        known = [name for name in shipped() if fnmatch(name, pattern)]
        raise ConfigError(f'`variant` {variant}: there is no {other}; there are {", ".join(known)}')
    text = _assigned(text, BASE, f"__import__('mobileone_mm').config({other!r})")
    for name, value in changed.items():
        text = _assigned(text, name, value)
    for line in reversed(ast.parse(text).body):
        if set(_names(line)) & set(chosen):
            text = _without(text, line)
    _, _, text = text.partition('\n')
    above, below = re.split(f'^{FOLLOWS}', text, maxsplit=1, flags=re.M)  # names may hold it, in a line of theirs
    return without_double_braces('\n'.join([title, above.rstrip('\n'), '', *settings, '', f'{FOLLOWS}{below}']))


def _base_of(text: str) -> str:
    """The name of the shipped config that an own config is based on."""
    call = _assignment(text, BASE).value
    assert isinstance(call, ast.Call)
    name: str = ast.literal_eval(call.args[0])
    return name


def _filled(text: str, others: Mapping[str, Any]) -> str:
    """A config's text with other values for some of its variables, which may be assigned two at a time."""
    for line in reversed(ast.parse(text).body):  # those above stay where they are
        names = _names(line)
        if not others.keys() & set(names):
            continue
        assert isinstance(line, ast.Assign)
        values = line.value.elts if len(names) > 1 and isinstance(line.value, ast.Tuple) else [line.value]
        filled = [
            repr(others[name]) if name in others else ast.unparse(value)
            for name, value in zip(names, values, strict=True)
        ]
        text = _replaced(text, line, ', '.join(names), ', '.join(filled))
    return text


def require_input_size(path: Path) -> None:
    """Refuse an `input_size` of a filled-in template that is none, before a line below it fails by it.

    Raises:
        ConfigError: with what was given and what is expected.
    """
    text = path.read_text(encoding='utf-8', errors='replace')
    if YOURS not in text:
        return
    try:
        lines = [line for line in ast.parse(text).body if isinstance(line, ast.Assign)]
        values = [line.value for line in lines if _names(line) == [INPUT_SIZE]]
        given = ast.literal_eval(values[-1])
    except (SyntaxError, ValueError, IndexError):  # no Python, an expression, which mmengine evaluates, or no such line
        return
    pair = f'{INPUT_SIZE}[' in text  # what follows in the file takes width and height, or one number for both
    sides = given if pair and isinstance(given, tuple | list) and len(given) == 2 else () if pair else (given,)
    if not sides or not all(type(side) is int and side > 0 for side in sides):
        expected = (
            'width and height, two whole numbers of px above 0: (512, 512)'
            if pair
            else ('one whole number of px above 0, the width and the height: 224')
        )
        raise ConfigError(f'{path}: {INPUT_SIZE} = {given!r} given, expected {expected}')


def variables(text: str) -> list[str]:
    """The names that a config's text sets."""
    return [name for line in ast.parse(text).body for name in _names(line)]


def _names(line: ast.stmt) -> list[str]:
    """The names that a line of a config sets; none where it sets nothing."""
    if not isinstance(line, ast.Assign):
        return []
    target = line.targets[0]
    return [ast.unparse(name) for name in (target.elts if isinstance(target, ast.Tuple) else [target])]


def _assigned(text: str, name: str, value: str) -> str:
    """A config's text with another value for one of its variables; comments stay."""
    return _replaced(text, _assignment(text, name), name, value)


def _replaced(text: str, line: ast.stmt, names: str, value: str) -> str:
    """A config's text with another assignment for one of its lines, found by its place: texts may hold the same."""
    before, after = _around(text, line)
    comment, newline, below = after.partition('\n')
    return before + assignment(names, value, comment) + newline + below


def assignment(names: str, value: str, comment: str = '') -> str:
    """An assignment in as many lines as it needs, as ruff formats it; a comment that is too long comes above it.

    Args:
        names: that are set, between commas.
        value: its source.
        comment: what follows it in its line, from the spaces on.
    """
    plain = f'{names} = {value}'
    if '\n' in plain or _columns(plain + comment) <= WIDTH:
        return plain + comment
    whole = ast.parse(value, mode='eval').body
    if isinstance(whole, ast.Tuple | ast.List) and whole.elts:
        parts = [f'{INDENT}{ast.get_source_segment(value, part)},\n' for part in whole.elts]
        opening, closing = '()' if isinstance(whole, ast.Tuple) else '[]'
        return f'{names} = {opening}\n{"".join(parts)}{closing}{comment}'
    above = f'{comment.strip()}\n' if comment.strip() else ''
    in_brackets = _columns(plain) > WIDTH >= _columns(INDENT + value)
    return above + (f'{names} = (\n{INDENT}{value}\n)' if in_brackets else plain)


def _columns(line: str) -> int:
    """How wide a line is on a screen."""
    return sum(2 if unicodedata.east_asian_width(one) in 'WF' else 1 for one in line if not unicodedata.combining(one))


def _without(text: str, line: ast.stmt) -> str:
    """A config's text without one of its lines, and without the comment behind it."""
    before, after = _around(text, line)
    return before + after.partition('\n')[2]


def _around(text: str, line: ast.stmt) -> tuple[str, str]:
    """What stands before a line of a config, and what behind it, from its comment on."""
    assert line.end_lineno is not None
    assert line.end_col_offset is not None
    lines = text.encode().splitlines(keepends=True)  # Python counts columns in bytes of UTF-8
    before = [*lines[: line.lineno - 1], lines[line.lineno - 1][: line.col_offset]]
    after = [lines[line.end_lineno - 1][line.end_col_offset :], *lines[line.end_lineno :]]
    return b''.join(before).decode(), b''.join(after).decode()


def _assignment(text: str, name: str) -> ast.Assign:
    """Where a template sets a variable; each of ours does."""
    return next(
        line for line in ast.parse(text).body if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == name
    )
