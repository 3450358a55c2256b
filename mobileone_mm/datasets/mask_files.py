"""Which mask belongs to which image: by the name without its ending, in folders and their subfolders."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mobileone_mm.datasets.checks import require_file
from mobileone_mm.datasets.faults import Fault
from mobileone_mm.datasets.parts import names_of_part
from mobileone_mm.errors import DataError, shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Attributes:
        stem: the name that both share, with the subfolder it lies in.
        image: path of the image.
        mask: path of the mask; empty where there is none.
    """

    stem: str
    image: str
    mask: str


@dataclass(frozen=True)
class Folders:
    """Where a set lies.

    Attributes:
        images: folder of the images.
        masks: folder of the masks.
        image_ending: what follows the shared name in an image's; None for whatever ending of a picture is there.
        mask_ending: the same of masks.
    """

    images: str
    masks: str
    image_ending: str | None = None
    mask_ending: str | None = None


def find_pairs(folders: Folders, stems: Sequence[str] | None) -> tuple[list[Pair], list[Fault]]:
    """Every image with its mask, sorted by name, and what is missing or stands twice.

    Args:
        folders: where they lie, and their endings.
        stems: names without ending, of a split file; None for all images of the folder.

    Raises:
        DataError: a folder does not exist or has nothing to pair, or one folder holds both and the endings do not tell
            them apart.
    """
    _require_folders(folders)
    all_images, all_masks = _files(folders.images), _files(folders.masks)
    images = _by_stem(folders.images, all_images, folders.image_ending)
    masks = _by_stem(folders.masks, all_masks, folders.mask_ending)
    wanted = masks if stems is None else masks.keys() & set(stems)
    lacking = {stem: masks[stem] for stem in wanted if stem not in images}
    faults = _strange_endings(folders, all_images, lacking) if folders.image_ending is None else []
    known = {_stem(fault.place, folders.images) for fault in faults}
    pairs = []
    for stem in sorted(images) if stems is None else stems:
        if stem not in images:
            if stem not in known:
                faults.append(_not_found(stem, images, folders))
            continue
        found, its_masks = images[stem], masks.get(stem, [])
        for option, twice in (('img_suffix', found), ('seg_map_suffix', its_masks)):
            if len(twice) > 1:
                names = ' and '.join(map(os.path.basename, twice))
                faults.append(Fault(twice[0], f'{names} have one name; take one away, or set {option}', 'twice', stem))
        if not its_masks:
            text = f'no mask: expected {os.path.join(folders.masks, stem)} with {_ending(folders.mask_ending)}'
            faults.append(Fault(found[0], text, 'mask missing', stem))
        pairs.append(Pair(stem, found[0], its_masks[0] if its_masks else ''))
    if not (pairs or faults):
        raise DataError(
            f'{folders.images}: no images; expected pictures with {_ending(folders.image_ending)}, and a mask of the '
            'same name for each'
        )
    return pairs, faults


def _require_folders(folders: Folders) -> None:
    for option, folder in (('img_path', folders.images), ('seg_map_path', folders.masks)):
        if not os.path.isdir(folder):
            raise DataError(f'{folder}: no such folder; set data_root and {option} of data_prefix in the config')
    if folders.image_ending == folders.mask_ending and os.path.samefile(folders.images, folders.masks):
        raise DataError(
            f'{folders.images}: holds images and masks, and nothing tells which is which; set img_suffix and '
            "seg_map_suffix in the data set, such as img_suffix='.jpg', seg_map_suffix='_mask.png'"
        )


def _not_found(name: str, images: Mapping[str, list[str]], folders: Folders) -> Fault:
    """Why a name of a list is no image's."""
    for bare in (name.removesuffix(folders.image_ending or ''), os.path.splitext(name)[0]):
        if bare in images:
            return Fault(name, f'a name with its ending, expected {bare!r}', 'name with an ending')
    text = f'no image of the name {name!r} with {_ending(folders.image_ending)} in {folders.images}'
    return Fault(name, text, 'image missing')


def read_stems(file: str) -> list[str]:
    """The names in a split file, one a line, without endings.

    Raises:
        DataError: it cannot be read, holds no name, or one twice.
    """
    try:
        require_file(file)
        with open(
            file, encoding='utf-8-sig', errors='surrogateescape'
        ) as lines:  # Windows editors write a byte order mark
            stems = [line.strip() for line in lines if line.strip()]
    except OSError as error:
        raise DataError(
            f'{file}: cannot be read ({error}); expected a text file that lists image names without endings, one a '
            'line; set data_root and ann_file in the config'
        ) from error
    if not stems:
        raise DataError(f'{file}: no names; expected those of images, without endings, one a line')
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        raise DataError(f'{file}: {shown(twice)} stands more than once; list each image once')
    return stems


def part_of(pairs: Sequence[Pair], part: str, share: float, seed: int) -> list[Pair]:
    """The pairs of a part: by a number drawn from the name and the seed, so that a new image moves hardly any other.

    Args:
        pairs: of the whole set.
        part: 'all', 'train' or 'val'.
        share: of the pairs that are held out for 'val', between 0 and 1; at least one is.
        seed: another seed, another choice.

    Raises:
        DataError: there is no such part, or a part would be empty.
    """
    own = names_of_part(part, [pair.stem for pair in pairs], share, seed)
    return [pair for pair in pairs if pair.stem in own]


def faults_of(faults: Sequence[Fault], pairs: Sequence[Pair], part: str) -> list[Fault]:
    """Those of a part's pairs; what belongs to no pair is not for 'val' to say."""
    own = {pair.stem for pair in pairs} | ({''} if part != 'val' else set())
    return [fault for fault in faults if fault.stem in own]


def _ending(given: str | None) -> str:
    return f'the ending {given}' if given else f'one of the endings {", ".join(PICTURE_ENDINGS)}'


def _files(folder: str) -> list[str]:
    """The files of a folder and its subfolders as relative paths, hidden ones left out."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith('.')]
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in names if not name.startswith('.')]
    return sorted(found)


def _by_stem(folder: str, files: Sequence[str], ending: str | None) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        if ending is not None and file.endswith(ending):
            found[file.removesuffix(ending)].append(os.path.join(folder, file))
        elif ending is None and os.path.splitext(file)[1].lower() in PICTURE_ENDINGS:
            found[os.path.splitext(file)[0]].append(os.path.join(folder, file))
    return found


def _stem(path: str, folder: str) -> str:
    return os.path.splitext(os.path.relpath(path, folder))[0]


def _strange_endings(folders: Folders, files: Sequence[str], masks: Mapping[str, list[str]]) -> list[Fault]:
    """Files that a mask without an image belongs to, so that they must be images, and that nobody would read."""
    faults = []
    for file in files:
        stem, ending = os.path.splitext(file)
        name = stem if stem in masks else file  # a name may have a full stop in it, and no ending
        if ending.lower() not in PICTURE_ENDINGS and name in masks:
            path = os.path.join(folders.images, file)
            text = f'has a mask ({os.path.basename(masks[name][0])}), but not {_ending(None)}'
            faults.append(Fault(path, text, 'ending'))
    return faults
