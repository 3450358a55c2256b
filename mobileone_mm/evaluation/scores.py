"""What was scored, side by side: rows, the differences between them, and both as text and JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

COLUMNS = 4  # metrics shown in the table; the report has all


@dataclass(frozen=True)
class Row:
    """What a candidate scored.

    Attributes:
        name: of the candidate.
        rule: of the candidate.
        metrics: all that the evaluator computed, by key; empty where nothing was predicted in any picture.
        seconds: median of one prediction.
    """

    name: str
    rule: str
    metrics: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Difference:
    """What one thing instead of another changes of the main metric; `points` are hundredths, None if a score lacks."""

    what: str
    points: float | None


@dataclass(frozen=True)
class Scores:
    """What an artefact scores on its config's test data, and what it is compared with.

    Attributes:
        artifact: its path, as it was given.
        config: path of the config.
        main: key of the metric that counts most.
        rows: the references first, the artefact last.
        pictures: number of pictures that were used.
        total: number of pictures in the set.
        rules: thresholds and limits, by name.
        notes: what was left out or is not as expected.
        folder: where the pictures lie; empty where the data set does not say.
    """

    artifact: str
    config: str
    main: str
    rows: tuple[Row, ...]
    pictures: int
    total: int
    rules: Mapping[str, float]
    notes: tuple[str, ...]
    folder: str = ''

    @property
    def seconds(self) -> float:
        """Of the artefact, a picture."""
        return self.rows[-1].seconds

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Between any two rows that differ in one thing, and at last between the first and the last row."""
        pairs = [
            (one, other)
            for one, other in combinations(self.rows, 2)
            if (one.name == other.name) != (one.rule == other.rule)
        ]
        ends = (self.rows[0], self.rows[-1])
        if len(pairs) > 1:
            pairs.append(ends)
        return tuple(Difference(_change(one, other), self._points(one, other)) for one, other in pairs)

    def _points(self, one: Row, other: Row) -> float | None:
        if self.main not in one.metrics or self.main not in other.metrics:
            return None
        return 100 * (other.metrics[self.main] - one.metrics[self.main])

    def as_dict(self) -> dict[str, Any]:
        """The scores as JSON can hold them; a metric that is no number is null."""
        return {
            'artifact': self.artifact,
            'config': self.config,
            'main_metric': self.main,
            'rows': [
                {
                    'name': row.name,
                    'rule': row.rule,
                    'metrics': {key: value if math.isfinite(value) else None for key, value in row.metrics.items()},
                    'seconds': row.seconds,
                }
                for row in self.rows
            ],
            'differences': [{'what': change.what, 'points': change.points} for change in self.differences],
            'pictures': self.pictures,
            'pictures_in_set': self.total,
            'rules': dict(self.rules),
            'seconds_a_picture': self.seconds,
            'notes': list(self.notes),
        }

    def table(self) -> str:
        """The scores as text."""
        known = list(dict.fromkeys(key for row in self.rows for key in row.metrics))
        shown = [self.main, *(key for key in known if key != self.main)][:COLUMNS]
        names, rules = (
            max(map(len, texts)) for texts in zip(*((row.name, row.rule) for row in self.rows), strict=True)
        )
        titles = [key.rpartition('/')[2] for key in shown]
        lines = [
            f'{self.pictures} of {self.total} pictures; '
            + ', '.join(f'{name} {value:g}' for name, value in self.rules.items()),
            f'{"":{names}}  {"":{rules}}  ' + '  '.join(f'{title:>8}' for title in titles) + '  s a picture',
        ]
        for row in self.rows:
            values = '  '.join(
                _number(row.metrics.get(key)).rjust(max(8, len(key.rpartition('/')[2]))) for key in shown
            )
            lines.append(f'{row.name:{names}}  {row.rule:{rules}}  {values}  {row.seconds:11.3f}')
        if self.differences:
            lines.append(f'points of {titles[0]}:')
        lines += [f'{_points(change.points):>7}  {change.what}' for change in self.differences]
        return '\n'.join(lines)


def _change(one: Row, other: Row) -> str:
    if one.name == other.name:
        return f'{other.rule} instead of {one.rule}, in {one.name}'
    if one.rule == other.rule:
        return f'{other.name} instead of {one.name}, both with {one.rule}'
    return 'in all, from the first row to the last'


def _number(value: float | None) -> str:
    # COCO's metrics are -1 where there is nothing to find.
    return '-' if value is None or not value >= 0 else f'{value:.4f}'


def _points(value: float | None) -> str:
    return '-' if value is None else f'{round(value, 2) + 0.0:+.2f}'  # + 0.0: no -0.00
