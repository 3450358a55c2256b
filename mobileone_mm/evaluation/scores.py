"""What was scored, side by side: rows, the differences between them, and both as text and JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, groupby
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.columns import WIDTH, wrapped
from mobileone_mm.openmmlab.metrics import number_of

LEAST = 8  # characters of a column of metrics
SECONDS = 's/picture'
ZERO = '+0.00'  # a difference too small to be seen, which needs no cause


@dataclass(frozen=True)
class Row:
    """What a candidate scored.

    Attributes:
        name: of the candidate.
        rule: of the candidate.
        metrics: all that the evaluator computed, by key; empty where nothing was predicted in any picture.
        seconds: median of one prediction.
        classes: score of each class alone, by its name; empty where the evaluator has none.
    """

    name: str
    rule: str
    metrics: Mapping[str, float]
    seconds: float
    classes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """What one thing instead of another changes of the main metric, in points of 100; None if a score lacks."""

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
        percent: whether the metrics are in percent, not fractions of 1.
        notes: what was left out or is not as expected.
        folder: where the pictures lie; empty where the data set does not say.
        class_metric: what the score of a class alone is called, such as AP.
        rule_change: what the second rule does otherwise than the first.
        verdict: on an artefact that failed a check when it was exported and was kept; empty for any other.
    """

    artifact: str
    config: str
    main: str
    rows: tuple[Row, ...]
    pictures: int
    total: int
    rules: Mapping[str, float]
    percent: bool
    notes: tuple[str, ...]
    folder: str = ''
    class_metric: str = ''
    rule_change: str = ''
    verdict: str = ''

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
        return tuple(Difference(self._what(one, other), self._change(one, other)) for one, other in pairs)

    @property
    def change(self) -> float | None:
        """Of the main metric, from the first row to the last, in points of 100; None if a score lacks."""
        return self._change(self.rows[0], self.rows[-1])

    def _change(self, one: Row, other: Row) -> float | None:
        before, after = self.points(one, self.main), self.points(other, self.main)
        return None if before is None or after is None else after - before

    def _what(self, one: Row, other: Row) -> str:
        if one.name == other.name:
            seen = _points(self._change(one, other)) != ZERO
            why = f': {self.rule_change}' if self.rule_change and seen else ''
            return f'{other.rule} instead of {one.rule}, in {one.name}{why}'
        if one.rule == other.rule:
            both = f', both with {one.rule}' if self._rule is None else ''
            return f'{other.name} compared with {one.name}{both}'
        return 'in all, from the first row to the last'

    @property
    def _rule(self) -> str | None:
        """The rule of all rows; None where they have several."""
        rules = {row.rule for row in self.rows}
        return rules.pop() if len(rules) == 1 else None

    def points(self, row: Row, metric: str) -> float | None:
        """A metric of a row in points of 100; None where it has none: COCO's are -1 where there is nothing to find."""
        return self._as_points(row.metrics.get(metric, -1))

    def class_points(self, row: Row) -> dict[str, float]:
        """The score of each class alone in points of 100; without those that are not in the pictures."""
        points = {name: self._as_points(value) for name, value in row.classes.items()}
        return {name: value for name, value in points.items() if value is not None}

    def as_printed(self, points: float) -> str:
        """Points of 100 as the metric itself counts: a fraction of 1, or percent."""
        return f'{points:.2f}' if self.percent else f'{points / 100:.2f}'

    def _as_points(self, value: float) -> float | None:
        if not (math.isfinite(value) and value >= 0):
            return None
        return value if self.percent else 100 * value

    def as_dict(self) -> dict[str, Any]:
        """The scores as JSON can hold them; a metric that is no number is null."""
        return {
            'artifact': self.artifact,
            'config': self.config,
            'main_metric': self.main,
            'percent': self.percent,
            'class_metric': self.class_metric,
            'rows': [
                {
                    'name': row.name,
                    'rule': row.rule,
                    'metrics': _as_json(row.metrics),
                    'classes': _as_json(row.classes),
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
            'verdict': self.verdict,
        }

    def table(self) -> str:
        """The scores as text of 80 columns: as many metrics as have room, the main one first; the report has all."""
        rules = 2 + max(len(row.rule) for row in self.rows)
        known = dict.fromkeys([self.main, *(key for row in self.rows for key in row.metrics)])
        columns: dict[str, int] = {}  # their widths, the space before them included
        for key in known:
            width = 2 + max(LEAST, len(short(key)))
            if columns and rules + sum(columns.values()) + width + 2 + len(SECONDS) > WIDTH:
                break
            columns[key] = width
        used = ', '.join(f'{name} {value:g}' for name, value in self.rules.items())
        titles = ''.join(f'{short(key):>{width}}' for key, width in columns.items())
        lines = wrapped(self.verdict, '  ', '') if self.verdict else []
        lines += wrapped('; '.join(filter(None, [f'{self.pictures} of {self.total} pictures', used])), '  ', '')
        lines.append(f'{self._rule or "":{rules}}{titles}  {SECONDS}')
        for name, rows in groupby(self.rows, lambda row: row.name):
            lines.append(name)
            for row in rows:
                values = ''.join(f'{self.number(row, key):>{width}}' for key, width in columns.items())
                rule = '' if self._rule else row.rule
                lines.append(f'  {rule:{rules - 2}}{values}  {row.seconds:{len(SECONDS)}.3f}')
        if self.differences:
            lines.append(f'points of {short(self.main)}:')
        for change in self.differences:
            lines += wrapped(change.what, ' ' * 9, f'{_points(change.points):>7}  ')
        return '\n'.join(lines)

    def number(self, row: Row, metric: str) -> str:
        """A metric of a row as text, as the metric itself counts; '-' where it has none."""
        if self.points(row, metric) is None:
            return '-'
        return number_of(row.metrics[metric], self.percent)


def _as_json(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in values.items()}


def short(metric: str) -> str:
    """The name of a metric without the prefix of its evaluator."""
    return metric.rpartition('/')[2]


def main_metric(config: Config, rows: Sequence[Row], usual: str = '') -> str:
    """The key that training saves the best checkpoint by (`save_best`), else the `usual` one, else the first."""
    known = [key for row in rows for key in row.metrics]
    best = ((config.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best') or ()
    wanted = [best] if isinstance(best, str) else best
    ranked = [key for key in wanted if key in known] + [key for key in known if short(key) == usual]
    return next(iter(ranked), known[0])


def _points(value: float | None) -> str:
    return '-' if value is None else f'{round(value, 2) + 0.0:+.2f}'  # + 0.0: no -0.00
