"""What a classifier scored on each set, beside the paper's figures: as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobileone_mm.artifact.columns import wrapped
from mobileone_mm.datasets.corrupt import CORRUPTIONS, SEVERITIES
from mobileone_mm.errors import NAMES_SHOWN
from mobileone_mm.robustness.published import (
    ALEXNET,
    OF_C,
    PAPER,
    PICTURES,
    corruption_error,
    is_whole,
    mean_corruption_error,
)
from mobileone_mm.robustness.sets import PictureSet

NAME, CELL = 18, 7  # characters of the first column, and of each of the others but AlexNet's


@dataclass(frozen=True)
class Part:
    """What was scored on a set, or on a part of ImageNet-C.

    Attributes:
        of: the set.
        pictures: number of pictures that were used.
        there: number of pictures on disk.
        lacking: the classes that have no picture on disk.
        top1: percent of the pictures whose best class is right.
        top5: percent of the pictures whose class is among the best five.
    """

    of: PictureSet
    pictures: int
    there: int
    lacking: tuple[str, ...]
    top1: float
    top5: float

    @property
    def partial(self) -> str:
        """What of the set was not used, in words; empty where it was scored whole."""
        published = PICTURES[self.of.name]
        if self.pictures == published and not self.lacking:
            return ''
        used = f'{self.pictures} of {published} pictures'
        if self.there != published:
            used += f', {self.there} on disk'
        if self.lacking:
            named = f': {", ".join(self.lacking)}' if len(self.lacking) <= NAMES_SHOWN else ''
            used += f', none of {len(self.lacking)} of the {len(self.of.classes)} classes{named}'
        return used


@dataclass(frozen=True)
class Results:
    """What a classifier scored.

    Attributes:
        config: its config, as it was given.
        model: its file, as it was given.
        variant: of MobileOne, 's0' to 's4'; another or no name where the paper says nothing of it.
        device: where it was computed.
        parts: the sets, and the parts of ImageNet-C.
        limit: the number of pictures that were asked for, of each.
    """

    config: str
    model: str
    variant: str
    device: str
    parts: tuple[Part, ...]
    limit: int | None

    @property
    def plain(self) -> list[Part]:
        """The sets without corruptions."""
        return [part for part in self.parts if part.of.corruption is None]

    @property
    def corrupted(self) -> list[Part]:
        """The parts of ImageNet-C."""
        return [part for part in self.parts if part.of.corruption is not None]

    @property
    def errors(self) -> dict[str, dict[int, float]]:
        """Top-1 errors on ImageNet-C as fractions, by corruption and severity."""
        found: dict[str, dict[int, float]] = {}
        for part in self.corrupted:
            if (corruption := part.of.corruption) is not None:
                found.setdefault(corruption.name, {})[corruption.severity] = 1 - part.top1 / 100
        return found

    @property
    def paper(self) -> Mapping[str, float]:
        """What the paper's table 12 says of this variant; empty where it says nothing."""
        return PAPER.get(self.variant, {})

    @property
    def notes(self) -> list[str]:
        """Why figures are not those of the whole sets as they were published: a note a set."""
        notes = [f'{part.of.name}: {part.partial}' for part in self.plain if part.partial]
        about = self._notes_on_corrupted() if self.corrupted else []
        return [*notes, f'{OF_C}: {"; ".join(about)}'] if about else notes

    def _notes_on_corrupted(self) -> list[str]:
        notes, partial = [], [part for part in self.corrupted if part.partial]
        if not is_whole(self.errors):
            names, severities = self._chosen
            levels = ', '.join(map(str, severities))
            chosen = f'severity {levels} only' if len(severities) == 1 else f'severities {levels} only'
            if len(severities) == len(SEVERITIES):
                chosen = 'all severities'
            if len(names) < len(CORRUPTIONS):
                chosen = f'{len(names)} of {len(CORRUPTIONS)} corruptions ({", ".join(names)}), {chosen}'
            notes.append(chosen)
        if partial and len({part.partial for part in self.corrupted}) == 1:
            notes.append(f'of each part, {partial[0].partial}')
        elif partial:
            first = f'{partial[0].of.part}: {partial[0].partial}'
            notes.append(f'{len(partial)} of {len(self.corrupted)} parts are not whole, such as {first}')
        if any(part.of.corruption and part.of.corruption.made for part in self.corrupted):
            notes.append('corrupted here, with other random numbers than the published pictures')
        return notes

    @property
    def _chosen(self) -> tuple[list[str], list[int]]:
        return list(self.errors), sorted({severity for found in self.errors.values() for severity in found})

    def _label(self, name: str) -> str:
        """A set in the table, with a mark where it has a note."""
        return f'{name} *' if any(note.startswith(f'{name}:') for note in self.notes) else name

    def table(self) -> str:
        """All figures as text of 80 columns, in percent."""
        lines = self._plain_lines() if self.plain else []
        if self.corrupted:
            lines += [*([''] if lines else []), *self._corrupted_lines()]
        if self.notes:
            lines += ['', '* not the whole set as published, and not to be compared with the paper:']
            for note in self.notes:
                lines += wrapped(note, '    ', '  ')
        return '\n'.join(lines)

    def _plain_lines(self) -> list[str]:
        column = f'  {self._theirs}' if self.paper else ''
        lines = [f'{"":{NAME}}{"pictures":>{CELL + 3}}{"top-1":>{CELL}}{"top-5":>{CELL}}{column}']
        for part in self.plain:
            name = part.of.name
            theirs = f'{self.paper[name]:{len(column)}.1f}' if self.paper else ''
            cells = f'{part.pictures:{CELL + 3}}{part.top1:{CELL}.2f}{part.top5:{CELL}.2f}{theirs}'
            lines.append(f'{self._label(name):{NAME}}{cells}')
        return lines

    def _corrupted_lines(self) -> list[str]:
        names, severities = self._chosen
        titles = [*map(str, severities), 'mean', 'AlexNet', 'CE']
        widths = [max(CELL, 1 + len(title)) for title in titles]
        lines = wrapped(f"{self._label(OF_C)}: top-1 error by severity; CE, in percent of AlexNet's", '  ', '')
        lines.append(f'{"":{NAME}}' + ''.join(map(str.rjust, titles, widths)))
        before = NAME + sum(widths[:-1])
        for name in names:
            found = self.errors[name]
            theirs = [ALEXNET[name][severity - SEVERITIES[0]] for severity in found]
            row = [100 * found[severity] for severity in severities]
            row += [100 * sum(found.values()) / len(found), 100 * sum(theirs) / len(theirs)]
            row.append(corruption_error(name, found))
            cells = (f'{value:{width}.2f}' for value, width in zip(row, widths, strict=True))
            lines.append(f'{name:{NAME}}{"".join(cells)}')
        mean = 'mCE' if is_whole(self.errors) else 'mean CE'
        lines.append(f'{self._label(OF_C).replace(OF_C, mean):{before}}{mean_corruption_error(self.errors):{CELL}.2f}')
        if self.paper:
            lines.append(f'{f"mCE, {self._theirs}":{before}}{self.paper[OF_C]:{CELL}.1f}')
        return lines

    @property
    def _theirs(self) -> str:
        return f"paper's {self.variant.upper()}"

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON can hold them, in percent."""
        whole = bool(self.corrupted) and is_whole(self.errors) and not any(part.partial for part in self.corrupted)
        mean = mean_corruption_error(self.errors) if self.corrupted else None
        return {
            'config': self.config,
            'model': self.model,
            'device': self.device,
            'limit': self.limit,
            'sets': [_part_dict(part) for part in self.parts],
            'mce': mean if whole else None,
            'mean_ce_of_what_was_scored': mean,
            'ce': {name: corruption_error(name, found) for name, found in self.errors.items()},
            'paper_table_12': dict(self.paper),
            'notes': self.notes,
        }


def _part_dict(part: Part) -> dict[str, Any]:
    corruption = part.of.corruption
    return {
        'set': part.of.name,
        'folder': str(part.of.root),
        'corruption': corruption.name if corruption else None,
        'severity': corruption.severity if corruption else None,
        'made_here': bool(corruption and corruption.made),
        'pictures': part.pictures,
        'pictures_on_disk': part.there,
        'classes_without_pictures': list(part.lacking),
        'whole': not part.partial,
        'top1': part.top1,
        'top5': part.top5,
    }
