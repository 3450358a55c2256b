"""What can be wrong with a set of masks, found without mmseg, all of it at once; and its pixels counted by class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.mask_cures import cures_of, rgb_text
from mobileone_mm.datasets.mask_files import Pair
from mobileone_mm.datasets.mask_rules import IDS, IGNORED, Rules, has_label
from mobileone_mm.datasets.picture_facts import MOST_COLOURS, Facts, look_at, packed
from mobileone_mm.errors import shown


@dataclass(frozen=True)
class Scan:
    """What a set of masks holds.

    Attributes:
        pixels: of each class.
        images: with each class.
        ignored: pixels without a class.
        sizes: (width, height) in px of each image that can be read.
        faults: what has to be mended.
        cures: how, one text for each kind of fault.
        jpeg: number of sound masks that JPEG compressed.
    """

    pixels: tuple[int, ...]
    images: tuple[int, ...]
    ignored: int
    sizes: tuple[tuple[int, int], ...]
    faults: tuple[Fault, ...]
    cures: tuple[str, ...]
    jpeg: int


def scan(pairs: Sequence[Pair], rules: Rules, said: Callable[[str], None], before: Sequence[Fault] = ()) -> Scan:
    """Look at every pair, by what is known of unchanged files.

    Args:
        pairs: images with their masks; one without a mask is looked at by itself.
        rules: how the masks are read.
        said: gets a line before a long work.
        before: faults that were found on the way to the pairs.
    """
    facts = look_at([pair.image for pair in pairs], [pair.mask for pair in pairs if pair.mask], said)
    pixels, images = np.zeros(IDS, np.int64), np.zeros(IDS, np.int64)
    faults, faulty, jpeg = list(before), [], 0
    for pair in pairs:
        mask = facts[pair.mask] if pair.mask else Facts()
        found = list(_faults(pair, facts[pair.image], mask, rules))
        faults += found
        if any(fault.place == pair.mask for fault in found):
            faulty.append(mask)
        elif pair.mask:
            labels, counts = _labels(mask, rules)
            np.add.at(pixels, labels, counts)
            images[np.unique(labels)] += 1
            jpeg += mask.jpeg
    faults += _black_and_white(pairs, facts, rules)
    count = len(rules.classes)
    return Scan(
        tuple(pixels[:count].tolist()),
        tuple(images[:count].tolist()),
        int(pixels[IGNORED]),
        tuple((facts[p.image].width, facts[p.image].height) for p in pairs if not facts[p.image].fault),
        tuple(faults),
        tuple(cures_of(faults, faulty, rules)),
        jpeg,
    )


def _faults(pair: Pair, image: Facts, mask: Facts, rules: Rules) -> Iterator[Fault]:
    if image.fault:
        yield Fault(pair.image, f'cannot be read: {image.fault}', 'image unreadable')
    if not pair.mask:
        return
    if mask.fault:
        yield Fault(pair.mask, f'cannot be read: {mask.fault}', 'mask unreadable')
        return
    if not image.fault and (mask.width, mask.height) != (image.width, image.height):
        turned = '; EXIF data turn the image' if image.turned else ''
        yield Fault(
            pair.mask,
            f'{mask.width} x {mask.height} px, its image is {image.width} x {image.height}{turned}',
            'other size than the image',
        )
    yield from _colour_faults(pair, mask, rules) if rules.colours is not None else _id_faults(pair, mask, rules)


def _id_faults(pair: Pair, mask: Facts, rules: Rules) -> Iterator[Fault]:
    if not mask.holds_ids:
        alpha = 'an alpha channel, ' if mask.mode.endswith(('A', 'a')) else ''
        what = f'{mask.kinds} colours' if mask.mode != 'LA' else f'{mask.kinds} levels of grey'
        kind = 'alpha channel' if alpha else 'colours instead of ids'
        yield Fault(pair.mask, f'holds {alpha}{what} ({mask.mode}), expected one id a pixel', kind)
        return
    strange = {
        value: count for value, count in zip(mask.values, mask.pixels, strict=True) if not has_label(value, rules)
    }
    if strange:
        kind = 'ids changed by JPEG' if mask.jpeg else 'id out of range'
        ids = shown(f'{value} ({count} px)' for value, count in strange.items())
        known = [value for value in range(IDS) if rules.labels[value] < len(rules.classes)]
        expected = f'{known[0]} to {known[-1]}' if known == list(range(known[0], known[-1] + 1)) else shown(known)
        yield Fault(pair.mask, f'id {ids}, expected {expected}, or {IGNORED} for no class', kind)


def _black_and_white(pairs: Sequence[Pair], facts: Mapping[str, Facts], rules: Rules) -> Iterator[Fault]:
    """Faults of a set whose masks hold 0 and 255 only: of its second class there would be nothing.

    It is for the whole set to say: one mask may well hold the first class, and what has none.
    """
    masks = [facts[pair.mask] for pair in pairs if pair.mask]
    if len(rules.classes) != 2 or rules.colours is not None or not all(mask.holds_ids for mask in masks):
        return
    if set().union(*(mask.values for mask in masks)) == {0, IGNORED} and rules.labels[0] == 0:
        text = f'holds 0 and {IGNORED} only; {IGNORED} is ignored, so that {rules.classes[1]!r} never occurs'
        for pair in pairs:
            if pair.mask and IGNORED in facts[pair.mask].values:
                yield Fault(pair.mask, text, 'black and white')


def _colour_faults(pair: Pair, mask: Facts, rules: Rules) -> Iterator[Fault]:
    if not mask.opaque:
        yield Fault(pair.mask, f'an alpha channel ({mask.mode}) hides some of its pixels', 'alpha channel')
    known = set(packed(np.array(rules.colours)).tolist())
    strange = {value: count for value, count in zip(mask.colours, mask.pixels, strict=True) if value not in known}
    if strange or mask.kinds > MOST_COLOURS:
        named = shown(f'{rgb_text(value)} ({count} px)' for value, count in strange.items())
        kind = 'colour that is not in colour_map'
        yield Fault(pair.mask, f'{mask.kinds} colours, among them {named}, which colour_map does not have', kind)


def _labels(mask: Facts, rules: Rules) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels of a sound mask's values, and their pixels."""
    if rules.colours is None:
        return rules.labels[list(mask.values)], np.array(mask.pixels)
    label_of = {colour: label for label, colour in enumerate(packed(np.array(rules.colours)).tolist())}
    labels = np.array([label_of[colour] for colour in mask.colours])
    return np.where(labels < len(rules.classes), labels, IGNORED), np.array(mask.pixels)
