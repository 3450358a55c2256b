"""Folders of pictures and of their masks: which is which, what ids or colours the masks hold, and what they mean."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileone_mm.datasets.class_files import pictures_in
from mobileone_mm.datasets.mask_cures import rgb_text
from mobileone_mm.datasets.mask_files import Folders, find_pairs
from mobileone_mm.datasets.mask_rules import IGNORED
from mobileone_mm.datasets.picture_facts import Facts, look_at, mask_facts
from mobileone_mm.errors import DataError, is_plain, shown
from mobileone_mm.setup.layouts import SPLITS, names_split, shown_folders

SAMPLES = 4  # files of a folder that are opened to see whether they are masks
MOST_KINDS = 64  # of ids or colours in a file that is taken for a mask
SHARED = 0.9  # part of the masks that have a picture of their name
MOST_CLASSES = 255  # an id is a byte, and 255 has no class
NAME_FILES = ('classes.txt', 'class_names.txt', 'labels.txt', 'codes.txt', 'label_names.txt')
NO_CLASS = re.compile(r'(?i)\b(unlabell?ed|ignored?|void|don.?t.?care)\b')  # a name of what has no class
NUMBERED = re.compile(r'^(\d+)\s*[:,;\s]\s*')  # before a name
THING = 'thing'
BLACK_AND_WHITE = ((0, 0, 0), (255, 255, 255))


@dataclass(frozen=True)
class MaskFolders:
    """Where a set of masks lies, from its root: the variables of the template, without those of no validation set."""

    lines: Mapping[str, str]


@dataclass(frozen=True)
class Meaning:
    """What the masks of a set mean.

    Attributes:
        classes: names, in the order of the ids, or of the colours.
        named: the file that the names are from; empty where none says them.
        ignored: ids of what has no class, without 255.
        colours: the colour map of masks that hold colours; None of ids.
        shares: of each class, its share of the pixels that have one.
    """

    classes: tuple[str, ...]
    named: str
    ignored: tuple[int, ...]
    colours: tuple[tuple[int, int, int], ...] | None
    shares: tuple[float, ...]


def mask_folders(root: Path) -> list[MaskFolders]:
    """Every way to read a folder as a set of pictures and masks; none where it is no such set."""
    parts = {split: [name for name in shown_folders(root) if names_split(Path(name), split)] for split in SPLITS}
    if parts['train']:  # train/images, train/masks
        train, val = (next(iter(parts[split]), None) for split in SPLITS)
        found = []
        for images, masks in _pairs(root / str(train)):
            lines = {'images': f'{train}/{images}', 'masks': f'{train}/{masks}'}
            if val and (root / val / images).is_dir() and (root / val / masks).is_dir():
                lines |= {'val_images': f'{val}/{images}', 'val_masks': f'{val}/{masks}'}
            found.append(MaskFolders(lines))
        return found
    found = []
    for images, masks in _pairs(root):
        inner = {split: _part_of_both(root / images, root / masks, split) for split in SPLITS}
        lines = {'images': images, 'masks': masks}
        if all(inner.values()):
            lines = {'images': f'{images}/{inner["train"]}', 'masks': f'{masks}/{inner["train"]}'}
            lines |= {'val_images': f'{images}/{inner["val"]}', 'val_masks': f'{masks}/{inner["val"]}'}
        found.append(MaskFolders(lines))
    return found


def meaning_of(
    root: Path,
    folders: MaskFolders,
    said: Callable[[str], None],
    classes: Sequence[str] = (),
    ignored: Sequence[int] = (),
) -> Meaning:
    """What the masks of a set hold, and what that means as far as the folder says it.

    Args:
        root: of the set.
        folders: where its masks are.
        said: gets a line before a long work.
        classes: names that the user gives.
        ignored: ids that the user gives for what has no class.

    Raises:
        DataError: the masks cannot be read as a set, or hold more than has names.
    """
    pairs, faults = find_pairs(Folders(*(str(root / folders.lines[key]) for key in ('images', 'masks'))), None)
    masks = [pair.mask for pair in pairs if pair.mask]
    if not masks:
        raise DataError(f'{root / folders.lines["masks"]}: {shown(fault.text for fault in faults)}')
    facts = [one for one in look_at([], masks, said).values() if not one.fault]
    if all(one.holds_ids for one in facts):
        return _of_ids(root, facts, classes, ignored)
    return _of_colours(root, facts, classes)


def _of_ids(root: Path, facts: Sequence[Facts], given: Sequence[str], known: Sequence[int]) -> Meaning:
    pixels: Counter[int] = Counter()
    for one in facts:
        pixels.update(dict(zip(one.values, one.pixels, strict=True)))
    ids = sorted(value for value in pixels if value != IGNORED)
    if ids == [0] and IGNORED in pixels:
        names = tuple(given) or ('background', THING)
        return Meaning(names, '', (), BLACK_AND_WHITE, _shares([pixels[0], pixels[IGNORED]]))
    named, file = (list(given), '') if given else _names(root)
    while file and named and NO_CLASS.search(named[-1]):  # what has no class stands last
        named.pop()
    classed = [value for value in ids if value not in known]
    count = len(named) or (classed[-1] + 1 if classed else 0)
    beyond = tuple(value for value in classed if value >= count)
    if count > MOST_CLASSES or len(beyond) > 1:
        what = f'the ids {shown(beyond)}' if beyond else f'ids up to {classed[-1]}'
        raise DataError(
            f'{root}: its masks hold {what}, and there are {count} names{f" in {file}" if file else ""}; expected an '
            f'id from 0 on for each class, and at most one, or {IGNORED}, for no class; give `classes` in the order of '
            'ids'
        )
    names = tuple(named) or tuple('background' if value == 0 else f'class_{value}' for value in range(count))
    return Meaning(names, file, (*known, *beyond), None, _shares([pixels[value] for value in range(len(names))]))


def _of_colours(root: Path, facts: Sequence[Facts], given: Sequence[str]) -> Meaning:
    pixels: Counter[int] = Counter()
    for one in facts:
        pixels.update(dict(zip(one.colours, one.pixels, strict=True)))
    found = [colour for colour, _ in pixels.most_common()]
    if len(found) > MOST_KINDS:
        raise DataError(f'{root}: its masks hold {len(found)} colours, expected one for each class; save them as PNG')
    named, file = (list(given), '') if given else _names(root)
    if named and len(named) > len(found):
        raise DataError(
            f'{root}: its masks hold {len(found)} colours ({shown(map(rgb_text, found))}), and there are {len(named)} '
            f'names{f" in {file}" if file else ""}; which colour is of which class cannot be told'
        )
    names = tuple(named) or tuple(f'class_{place}' for place in range(len(found)))
    colours = tuple((colour >> 16, colour >> 8 & 0xFF, colour & 0xFF) for colour in found)
    return Meaning(names, file, (), colours, _shares([pixels[colour] for colour in found[: len(names)]]))


def _shares(pixels: Sequence[int]) -> tuple[float, ...]:
    return tuple(count / max(1, sum(pixels)) for count in pixels)


def _names(root: Path) -> tuple[list[str], str]:
    """The names of classes in a text file of the set, one a line, and which file that is."""
    for name in NAME_FILES:
        if (root / name).is_file():
            lines = (root / name).read_text(encoding='utf-8-sig', errors='replace').splitlines()
            names = [line.strip() for line in lines if line.strip()]
            if all(map(NUMBERED.match, names)):
                names = [NUMBERED.sub('', one) for one in names]
            if names and len(set(names)) == len(names) and all(map(is_plain, names)):
                return names, name
    return [], ''


def _pairs(root: Path) -> Iterator[tuple[str, str]]:
    """Each two folders of a root of which one holds pictures and the other masks of their names."""
    stems = {name: _stems(root / name) for name in shown_folders(root)}
    filled = {name: found for name, found in stems.items() if found}
    masks = [name for name in filled if _holds_masks(root / name)]
    for images in filled:
        for name in masks:
            if images not in masks and len(filled[name] & filled[images]) >= SHARED * len(filled[name]):
                yield images, name


def _stems(folder: Path) -> set[str]:
    return {os.path.splitext(os.path.relpath(path, folder))[0] for path in pictures_in(str(folder))[0]}


def _holds_masks(folder: Path) -> bool:
    """Whether the pictures of a folder have so few colours that they are masks."""
    paths = pictures_in(str(folder))[0]
    facts = [mask_facts(path) for path in paths[:: max(1, len(paths) // SAMPLES)][:SAMPLES]]
    return bool(facts) and all(not one.fault and not one.jpeg and one.kinds <= MOST_KINDS for one in facts)


def _part_of_both(images: Path, masks: Path, split: str) -> str | None:
    """The subfolder of a split that both have."""
    both = set(shown_folders(images)) & set(shown_folders(masks))
    return min((name for name in both if names_split(Path(name), split)), default=None, key=len)
