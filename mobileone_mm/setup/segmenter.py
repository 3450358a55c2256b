"""A segmenter's config from a set of pictures and masks."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mobileone_mm.datasets.class_files import pictures_in
from mobileone_mm.datasets.class_weights import class_weights
from mobileone_mm.datasets.mask_rules import IGNORED
from mobileone_mm.errors import DataError, UsageError, printable
from mobileone_mm.openmmlab.own_config import assignment, with_settings
from mobileone_mm.setup.amounts import Amounts, amounts_for, segmenter_size
from mobileone_mm.setup.folder import KINDS, Found
from mobileone_mm.setup.mask_folders import Meaning, meaning_of
from mobileone_mm.setup.picture_sizes import picture_sizes
from mobileone_mm.setup.proposal import Draft, Proposal, Wishes, title
from mobileone_mm.setup.text import comment, share, sizes_said

LOGGER = logging.getLogger(__name__)

HELD_OUT = 0.2  # of a set without validation pictures: MaskDataset's own share
RARE = 0.01  # share of the pixels below which a class is rare
MOST_LISTED = 20  # classes in a line


def propose(found: Found, draft: Draft, wishes: Wishes) -> Proposal:
    """The config for a set of masks, and what it was chosen by.

    Raises:
        DataError: the masks hold more than has names, or the set has no picture.
        UsageError: there is a single class.
    """
    assert found.masks is not None
    root = Path(draft.root)
    meaning = meaning_of(root, found.masks, LOGGER.info, wishes.classes, wishes.ignored or ())
    if len(meaning.classes) < 2:
        raise UsageError(
            f'`classes`: {len(meaning.classes)} for masks, expected two or more: what is none of them is a class too'
        )
    train = pictures_in(str(root / draft.lines['images']))[0]
    sizes = picture_sizes(train)
    if not sizes:
        raise DataError(f'{root / draft.lines["images"]}: holds no picture that can be read')
    apart = 'val_images' in draft.lines
    val = len(pictures_in(str(root / draft.lines['val_images']))[0]) if apart else round(HELD_OUT * len(train))
    count = len(train) if apart else len(train) - val
    size = wishes.input_size or segmenter_size(sizes)
    amounts = amounts_for('segmentation', count)
    more: dict[str, Any] = {
        'ignore_index': _ignored(meaning.ignored),
        'input_size': size,
        'colour_map': meaning.colours,
    }
    text = with_settings(
        Draft(draft.template, meaning.classes, draft.root, draft.lines).text(**more),
        title('A DeepLabV3', draft.root),
        wishes.variant,
        list(_settings(meaning, amounts, count, sizes, size, wishes)),
        {},
        ('batch_size', 'max_epochs', 'class_weight'),
    )
    rare = [name for name, part in zip(meaning.classes, meaning.shares, strict=True) if part < RARE]
    ids = ', '.join(map(str, meaning.ignored))
    nothing = f'; without a class: {"id" if len(meaning.ignored) == 1 else "ids"} {ids}' if ids else ''
    said_rare = f'; rare: {", ".join(map(printable, rare[:MOST_LISTED]))}' if rare else ''
    lines = (
        f'{KINDS[draft.template]}: {count:,} training pictures, {val:,} for validation; {sizes_said(sizes)}',
        f'{len(meaning.classes)} classes: {_classes(meaning)}{said_rare}{nothing}',
    )
    return Proposal(text, lines, (f'input {size[0]} x {size[1]} px', str(amounts), *_doubts(meaning, wishes)))


def _ignored(ids: tuple[int, ...]) -> int | tuple[int, ...]:
    return IGNORED if not ids else ids[0] if len(ids) == 1 else ids


def _classes(meaning: Meaning) -> str:
    pairs = zip(meaning.classes, meaning.shares, strict=True)
    return ', '.join(f'{printable(name)} {share(part)}' for name, part in list(pairs)[:MOST_LISTED])


def _doubts(meaning: Meaning, wishes: Wishes) -> Iterator[str]:
    if not (meaning.named or wishes.classes):
        yield 'no file names the classes: give `classes` in their order, or change the names in the config'
    if meaning.colours:
        yield 'the masks hold colours: look at the order of colour_map, the most frequent first'


def _settings(
    meaning: Meaning,
    amounts: Amounts,
    count: int,
    sizes: list[tuple[int, int]],
    size: tuple[int, int],
    wishes: Wishes,
) -> Iterator[str]:
    yield f'# --- chosen for {count:,} pictures ---'
    if meaning.named:
        yield f'# Class names: {meaning.named}, in the order of the ids.'
    if beyond := set(meaning.ignored) - set(wishes.ignored or ()):
        many = f'Ids {", ".join(map(str, sorted(beyond)))} are' if len(beyond) > 1 else f'Id {min(beyond)} is'
        yield f'# {many} ignored: no class name is left.'
    if not wishes.input_size:
        own = 'this is their shape, in multiples of 32 px'
        shape = own if size[0] != size[1] else 'a square, since they are squares or of different shapes'
        yield from comment(f'input_size above: the pictures are {sizes_said(sizes)}; {shape}.')
    if any(meaning.shares):
        yield from comment(
            'How much a pixel of each class counts: the square root of how much rarer the class is than the most '
            'frequent one. If all count the same (None), rare classes tend never to be found.'
        )
        yield assignment('class_weight', repr([round(weight, 2) for weight in class_weights(meaning.shares)]))
    else:
        yield 'class_weight = None'
    yield from amounts.lines()
