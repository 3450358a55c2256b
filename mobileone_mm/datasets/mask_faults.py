"""What can be wrong with a set of masks, found without mmseg, all of it at once; and its pixels counted by class."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobileone_mm.datasets.checks import shown
from mobileone_mm.datasets.mask_facts import MOST_COLOURS, Facts, look_at, packed
from mobileone_mm.datasets.mask_files import Fault, Pair
from mobileone_mm.errors import DataError
from mobileone_mm.pictures.reading import PICTURE_ENDINGS

IGNORED = 255  # mmseg's padding, and the one id that its losses and metrics leave out
IDS = 256  # an id is a byte once it is loaded
FAULTS_SHOWN = 10

Colours = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Rules:
    """How masks are read.

    Attributes:
        classes: names, in the order of the labels.
        labels: (256,) the label of each id, `IGNORED` for those without a class.
        colours: one RGB colour a class, in the order of the classes, then those that are ignored; None where masks
            hold ids.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    colours: Colours | None = None


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
    """

    pixels: tuple[int, ...]
    images: tuple[int, ...]
    ignored: int
    sizes: tuple[tuple[int, int], ...]
    faults: tuple[Fault, ...]
    cures: tuple[str, ...]


def labels_of_ids(reduce_zero_label: bool, label_map: Mapping[int, int] | None) -> NDArray[np.int64]:
    """(256,) the label that mmseg's LoadAnnotations gives each id of a file."""
    labels = np.arange(IDS)
    if reduce_zero_label:
        labels = np.where((labels == 0) | (labels == IGNORED), IGNORED, labels - 1)
    mapped = labels.copy()
    for old, new in (label_map or {}).items():
        mapped[labels == old] = new
    return mapped


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
    faults, faulty = list(before), []
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
    count = len(rules.classes)
    return Scan(
        tuple(pixels[:count].tolist()),
        tuple(images[:count].tolist()),
        int(pixels[IGNORED]),
        tuple((facts[p.image].width, facts[p.image].height) for p in pairs if not facts[p.image].fault),
        tuple(faults),
        tuple(_cures(faults, faulty, rules)),
    )


def require_sound(found: Scan, where: str, total: int) -> None:
    """Refuse a set with faults.

    Args:
        found: what was found in it.
        where: the folder of its masks.
        total: number of its images.

    Raises:
        DataError: with the number of faults, the first of them, and their cures.
    """
    if found.faults:
        raise DataError(fault_text(found, where, total))


def fault_text(found: Scan, where: str, total: int) -> str:
    """The number of faults, the first of them a line each, and their cures."""
    count = len(found.faults)
    first = f', the first {FAULTS_SHOWN} of them' if count > FAULTS_SHOWN else ''
    lines = [f'{where}: {count} {"fault" if count == 1 else "faults"} in a set of {total} images{first}:']
    lines += [f'  {fault.place}: {fault.text}' for fault in found.faults[:FAULTS_SHOWN]]
    kinds = Counter(fault.kind for fault in found.faults)
    if count > FAULTS_SHOWN:
        lines.append(f'  in all: {", ".join(f"{number} x {kind}" for kind, number in kinds.most_common())}')
    return '\n'.join([*lines, *found.cures])


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
        value: count for value, count in zip(mask.values, mask.pixels, strict=True) if not _has_label(value, rules)
    }
    if strange:
        ids = shown(f'{value} ({count} px)' for value, count in strange.items())
        known = [value for value in range(IDS) if rules.labels[value] < len(rules.classes)]
        expected = f'{known[0]} to {known[-1]}' if known == list(range(known[0], known[-1] + 1)) else shown(known)
        yield Fault(pair.mask, f'id {ids}, expected {expected}, or {IGNORED} for no class', 'id out of range')
    elif set(mask.values) == {0, IGNORED} and len(rules.classes) == 2 and rules.labels[0] == 0:
        text = f'holds 0 and {IGNORED} only; {IGNORED} is ignored, so that {rules.classes[1]!r} never occurs'
        yield Fault(pair.mask, text, 'black and white')


def _has_label(value: int, rules: Rules) -> bool:
    return 0 <= value < IDS and bool(rules.labels[value] < len(rules.classes) or rules.labels[value] == IGNORED)


def _colour_faults(pair: Pair, mask: Facts, rules: Rules) -> Iterator[Fault]:
    if not mask.opaque:
        yield Fault(pair.mask, f'an alpha channel ({mask.mode}) hides some of its pixels', 'alpha channel')
    known = set(packed(np.array(rules.colours)).tolist())
    strange = {value: count for value, count in zip(mask.colours, mask.pixels, strict=True) if value not in known}
    if strange or mask.kinds > MOST_COLOURS:
        named = shown(f'{_rgb(value)} ({count} px)' for value, count in strange.items())
        kind = 'colour that is not in colour_map'
        yield Fault(pair.mask, f'{mask.kinds} colours, among them {named}, which colour_map does not have', kind)


def _labels(mask: Facts, rules: Rules) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The labels of a sound mask's values, and their pixels."""
    if rules.colours is None:
        return rules.labels[list(mask.values)], np.array(mask.pixels)
    label_of = {colour: label for label, colour in enumerate(packed(np.array(rules.colours)).tolist())}
    labels = np.array([label_of[colour] for colour in mask.colours])
    return np.where(labels < len(rules.classes), labels, IGNORED), np.array(mask.pixels)


def _cures(faults: Sequence[Fault], faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    """What to do, a line for each kind of fault."""
    kinds = {fault.kind for fault in faults}
    if kinds & {'image missing', 'mask missing'}:
        yield (
            'files that are missing: set data_prefix, img_suffix and seg_map_suffix in the data set, or leave these '
            'images out with a list of the others (ann_file)'
        )
    if 'ending' in kinds:
        yield f'unknown endings: save these images as one of {", ".join(PICTURE_ENDINGS)}'
    if 'other size than the image' in kinds:
        yield 'other sizes: save each mask at the size of its image, resized without smoothing (nearest)'
    if 'id out of range' in kinds:
        yield from _cures_of_ids(faulty, rules)
    if 'black and white' in kinds:
        yield 'black and white: this reads black as the first class, white as the second:'
        yield '    colour_map=((0, 0, 0), (255, 255, 255)),'
    if kinds & {'colours instead of ids', 'alpha channel', 'colour that is not in colour_map'}:
        yield from _cures_of_colours([mask for mask in faulty if not mask.holds_ids], rules)


def _cures_of_ids(faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    of_ids = [mask for mask in faulty if mask.holds_ids]
    strange = sorted({value for mask in of_ids for value in mask.values if not _has_label(value, rules)})
    if strange and strange[-1] >= IDS:
        yield f'ids above {IDS - 1}: an id is a byte once it is loaded; number the classes anew'
        return
    if len(strange) == 1:
        yield f'id {strange[0]}: if it marks what has no class, set ignore_index={strange[0]} in the data set'
    if strange == [len(rules.classes)]:
        yield '    if ids begin with 1, and 0 marks what has no class, set reduce_zero_label=True'
    if len(strange) > 1:
        yield (
            f'ids {shown(strange)}: name their classes; of those that mark what has no class, list all: '
            f'ignore_index={tuple(strange)!r}'
        )


def _cures_of_colours(faulty: Sequence[Facts], rules: Rules) -> Iterator[str]:
    """The colour map that would read what was found, as far as the colours say it."""
    counts: Counter[int] = Counter()
    for mask in faulty:
        counts.update(dict(zip(mask.colours, mask.pixels, strict=True)))
    if any(not mask.opaque for mask in faulty):
        yield "alpha channels: save these masks without: Image.open(path).convert('RGB').save(path) with Pillow"
    if any(mask.kinds > MOST_COLOURS for mask in faulty) or len(counts) > MOST_COLOURS:
        yield 'colours by the hundred: smoothed or compressed by JPEG, or no masks at all; draw them anew as PNG'
        return
    if not counts:
        return
    known = [] if rules.colours is None else packed(np.array(rules.colours)).tolist()
    found = known + [colour for colour, _ in counts.most_common() if colour not in known]
    if rules.colours is None and all(_is_grey(colour) and colour & 0xFF < len(rules.classes) for colour in found):
        found = [level * 0x010101 for level in range(len(rules.classes))]  # ids, three times each
        yield 'colours: each is an id written into all three channels, and this reads them:'
    else:
        few = len(found) < len(rules.classes)
        lacking = '; add a colour for each class that these masks do not have' if few else ''
        yield (
            f'colours: this reads them once it is in the order of your classes, {shown(rules.classes)}; what stands '
            f'behind the last class is ignored{lacking}:'
        )
    yield f'    colour_map=({", ".join(map(_rgb, found))},),'


def _is_grey(colour: int) -> bool:
    return colour % 0x010101 == 0


def _rgb(colour: int) -> str:
    return str((colour >> 16, colour >> 8 & 0xFF, colour & 0xFF))


def require_colours(colours: Any, classes: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """A colour map as given in a config, checked.

    Raises:
        DataError: it does not hold one RGB colour for each class at least, or one twice.
    """
    rows = (
        [tuple(row) for row in colours]
        if isinstance(colours, list | tuple) and all(isinstance(row, list | tuple) for row in colours)
        else []
    )
    sound = all(len(row) == 3 and all(isinstance(level, int) and 0 <= level < IDS for level in row) for row in rows)
    if not rows or not sound or len(rows) < len(classes) or len(set(rows)) < len(rows):
        raise DataError(
            f'colour_map={colours!r} given, expected one RGB colour a class, in the order of the {len(classes)} '
            'classes, each once: ((0, 0, 0), (128, 0, 0), ...); colours behind the last class are ignored'
        )
    return tuple(rows)
