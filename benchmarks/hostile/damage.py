"""What is done to bytes and to values."""

import math
from collections.abc import Callable
from random import Random
from typing import Any

MOST_FLIPPED = 3  # bits


def flipped(data: bytes, random: Random) -> bytes:
    """One to three bits are the other way round."""
    changed = bytearray(data)
    for _ in range(random.randint(1, MOST_FLIPPED)):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(data: bytes, random: Random) -> bytes:
    """The end is missing, or nearly all, or the beginning."""
    place = random.randrange(len(data)) if data else 0
    return random.choice([data[:place], data[: place % 64], data[place:]])


def zeroed(data: bytes, random: Random) -> bytes:
    """A run of zeros, as a download leaves it that was not completed."""
    start = random.randrange(len(data)) if data else 0
    length = min(random.choice([16, 512, 4096]), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def doubled(data: bytes, random: Random) -> bytes:
    """Something is behind the end, or the whole stands twice."""
    return data + random.choice([data, b'\0' * 64, b'<html>404</html>'])


BYTES: dict[str, Callable[[bytes, Random], bytes]] = {
    'bits flipped': flipped,
    'cut': cut,
    'zeros inside': zeroed,
    'more behind the end': doubled,
}


def damaged(data: bytes, random: Random) -> tuple[str, bytes]:
    """What was done, and the bytes then; never the same bytes."""
    while True:
        name = random.choice(['bits flipped', *BYTES])
        changed = BYTES[name](data, random)
        if changed != data:
            return name, changed


def typo(word: str, random: Random) -> str:
    """A letter is missing, another, or in its neighbour's place."""
    if not word:
        return 'x'
    place = random.randrange(len(word))
    swapped = word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :]
    changed = random.choice([word[:place] + word[place + 1 :], word[:place] + 'x' + word[place:], swapped])
    return changed if changed != word else word + 'x'


ODD = (None, True, False, 0, -1, 1, 10**9, 2**70, 0.5, -0.5, math.nan, math.inf, '', 'x', 'ä\u202e\n', (), [], {}, [[]])


def odd_value(value: Any, random: Random) -> Any:
    """Another value in place of one: of another type, of another size, near it, or far from all."""
    choices: list[Any] = [random.choice(ODD)]
    if isinstance(value, bool):
        choices += [not value]
    elif isinstance(value, int | float):
        choices += [-value, value + 1, value * (4 if isinstance(value, int) else 1000)]  # more takes long, rightly
        choices += [float(value), str(value), [value], None]
    elif isinstance(value, str):
        choices += [typo(value, random), value.upper(), [value], {'type': value}, value + '/', None, 0]
    elif isinstance(value, list | tuple):
        kind = type(value)
        choices += [value[:-1], kind([*value, *value[-1:]]), kind(reversed(value)), value[0] if value else None, None]
        choices += [{str(index): one for index, one in enumerate(value)}]
    elif isinstance(value, dict):
        choices += [None, [value], [], list(value.items()), {**value, 'unknown_key': 1}]
    return random.choice(choices)
