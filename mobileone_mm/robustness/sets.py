"""The sets on disk: which folders a set has, which pictures are in them, and what of it is not there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobileone_mm.datasets.class_files import pictures_in
from mobileone_mm.datasets.corrupt import CORRUPTIONS, FAMILIES, SEVERITIES
from mobileone_mm.errors import DataError, UsageError, shown
from mobileone_mm.pictures.endings import PICTURE_ENDINGS
from mobileone_mm.robustness.published import CLEAN, OF_A, OF_C, OF_R, SKETCH
from mobileone_mm.robustness.synsets import synsets

MARKS = {OF_A: 'A', OF_R: 'R'}


@dataclass(frozen=True)
class Corruption:
    """Which of ImageNet-C's 75 parts.

    Attributes:
        name: of the corruption.
        severity: 1 to 5.
        made: whether the pictures are corrupted as they are read, and not on disk.
    """

    name: str
    severity: int
    made: bool


@dataclass(frozen=True)
class PictureSet:
    """Pictures in a folder for each class, named by its WordNet id.

    Attributes:
        name: as it was published: 'ImageNet-A'.
        root: the folder of the classes' folders.
        corruption: of a part of ImageNet-C.
    """

    name: str
    root: Path
    corruption: Corruption | None = None

    @property
    def part(self) -> str:
        """Which part of ImageNet-C, in words: 'fog 3'; empty for another set."""
        return f'{self.corruption.name} {self.corruption.severity}' if self.corruption else ''

    @property
    def title(self) -> str:
        """The set in words, with its part."""
        return f'{self.name}, {self.part}' if self.corruption else self.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The WordNet ids that the set was published with, in the order of ImageNet's labels."""
        return synsets(MARKS.get(self.name, ''))


@dataclass(frozen=True)
class Choice:
    """What of ImageNet-C is wanted.

    Raises:
        UsageError: there is no such corruption or severity, or one stands twice.
    """

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES

    def __post_init__(self) -> None:
        _require_some('corruptions', self.corruptions, CORRUPTIONS)
        _require_some('severities', self.severities, SEVERITIES)


def _require_some(option: str, given: Sequence[object], known: Sequence[object]) -> None:
    strangers = [one for one in given if one not in known]
    if strangers or not given or len(set(given)) < len(given):
        listed = ','.join(map(str, given))
        raise UsageError(f'`{option}`: {listed!r} given, expected some of {",".join(map(str, known))}, none twice')


@dataclass(frozen=True)
class Folders:
    """Where the sets lie; None for one that is not to be scored.

    Attributes:
        clean: ImageNet's validation pictures.
        corrupted: ImageNet-C, as it was published.
        make: whether ImageNet-C's corruptions are made of the clean pictures.
        adversarial: ImageNet-A.
        renditions: ImageNet-R.
        sketches: ImageNet-Sketch.
    """

    clean: Path | None = None
    corrupted: Path | None = None
    make: bool = False
    adversarial: Path | None = None
    renditions: Path | None = None
    sketches: Path | None = None


def open_sets(folders: Folders, choice: Choice) -> list[PictureSet]:
    """The sets that are wanted, each looked at so far that what is wrong is said before the first picture is scored.

    Raises:
        UsageError: none is wanted, ImageNet-C is to be made of nothing or in two ways.
        DataError: a folder or a part of ImageNet-C is missing, or a folder is no class of its set.
    """
    if folders.make and (folders.clean is None or folders.corrupted is not None):
        raise UsageError('`corrupt` makes ImageNet-C of the pictures of `imagenet`: give that, and not `imagenet_c`')
    plain = {
        CLEAN: folders.clean,
        OF_A: folders.adversarial,
        OF_R: folders.renditions,
        SKETCH: folders.sketches,
    }
    sets = [PictureSet(name, root) for name, root in plain.items() if root is not None]
    if folders.corrupted is not None:
        sets += _published_parts(folders.corrupted, choice)
    if folders.make and folders.clean is not None:
        sets += [PictureSet(OF_C, folders.clean, part) for part in _parts(choice, made=True)]
    if not sets:
        raise UsageError(
            'no set given, expected at least one of `imagenet`, `imagenet_c`, `imagenet_a`, `imagenet_r`, '
            '`imagenet_sketch`'
        )
    for one in sets:
        require_classes(one)
    return sets


def _parts(choice: Choice, made: bool) -> list[Corruption]:
    return [Corruption(name, severity, made) for name in choice.corruptions for severity in choice.severities]


def _published_parts(root: Path, choice: Choice) -> list[PictureSet]:
    """The parts of ImageNet-C, whose archives are unpacked side by side or each in a folder of its family."""
    _require_folder(root)
    families = {name: family for family, names in FAMILIES.items() for name in names}
    found, missing = [], []
    for part in _parts(choice, made=False):
        below = Path(part.name) / str(part.severity)
        places = [place for place in (root / below, root / families[part.name] / below) if place.is_dir()]
        found += [PictureSet(OF_C, place, part) for place in places[:1]]
        missing += [] if places else [str(below)]
    if missing:
        have = list(dict.fromkeys(one.corruption.name for one in found if one.corruption))
        raise DataError(
            f'{root}: {len(missing)} of {len(missing) + len(found)} parts of ImageNet-C are missing: {shown(missing)}; '
            f'found: {shown(have) or "none"}; expected CORRUPTION/SEVERITY/WNID/*.JPEG, also in noise/, blur/, '
            'weather/ or digital/; unpack them, or name what is there: `corruptions`, `severities`'
        )
    return found


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise DataError(f'{root}: no such folder, expected one with a set of pictures')


def require_classes(one: PictureSet) -> None:
    """Refuse a folder that is no class of its set; a class that has no folder is told with the result.

    Raises:
        DataError: there is no such folder, none of a class, or one of something else.
    """
    _require_folder(one.root)
    folders = sorted(path.name for path in one.root.iterdir() if path.is_dir() and not path.name.startswith('.'))
    expected = f'a folder for each of the {len(one.classes)} classes of {one.name}, named by its WordNet id: '
    expected += shown(one.classes)
    strangers = [name for name in folders if name not in set(one.classes)]
    if strangers:
        raise DataError(f'{one.root}: {shown(strangers)}: no class of {one.name}; expected {expected}')
    if not folders:
        raise DataError(f'{one.root}: no folders in it; expected {expected}')


def first_folder(one: PictureSet) -> Path:
    """The folder of the first picture of a set that has some."""
    return next(Path(path).parent for name in one.classes for path in pictures_in(str(one.root / name))[0])


def pictures_of(one: PictureSet) -> dict[str, list[str]]:
    """The paths of a set's pictures, by class, for all of its classes.

    Raises:
        DataError: there is not one picture.
    """
    found = {name: pictures_in(str(one.root / name))[0] for name in one.classes}
    if not any(found.values()):
        raise DataError(f'{one.root}: no pictures, expected files that end in {", ".join(PICTURE_ENDINGS)}')
    return found
