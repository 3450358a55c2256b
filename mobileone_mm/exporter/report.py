"""What an export wrote and measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobileone_mm.artifact import ladder
from mobileone_mm.artifact.card import EXPERIMENTAL, Card
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.verdict import checked, checks_of, verdict
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.evaluation.weakness import weakness

MOST_LOST = 1.0  # points of the main metric; an export that loses more is not called faithful


@dataclass(frozen=True)
class Report:
    """What an export wrote and measured.

    Attributes:
        artifact: the package or file.
        info: what it says about itself.
        rungs: all comparisons, those that were not made included.
        facts: numbers about its outputs, by name; which, the task knows.
        operations: how often each operation stands in it.
        bytes: its size.
        seconds: time of each station.
        scores: on the config's test data, if it was scored.
        pictures: what it was checked on, in words.
    """

    artifact: Path
    info: Card = field(repr=False)
    rungs: tuple[Rung, ...] = field(repr=False)
    facts: Mapping[str, int]
    operations: Mapping[str, int] = field(repr=False)
    bytes: int
    seconds: Mapping[str, float] = field(repr=False)
    scores: Scores | None = field(default=None, repr=False)
    pictures: str = 'pictures'

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            'artifact': str(self.artifact),
            'info': self.info.as_metadata(),
            'ladder': ladder.as_dicts(self.rungs),
            **self.facts,
            'operations': dict(self.operations),
            'bytes': self.bytes,
            'seconds': dict(self.seconds),
            'scores': self.scores.as_dict() if self.scores else None,
            'pictures': self.pictures,
        }


def answer(report: Report) -> tuple[str, str]:
    """Whether the file is the model that was trained, and how far that was checked here."""
    return verdict(report.rungs, report.info.weights), checked(report.rungs, report.pictures)


def weak_at(report: Report) -> str:
    """What the model itself is weak at, if it was scored and is."""
    if report.scores is None or not (weak := weakness(report.scores)):
        return ''
    lost = -(report.scores.change or 0.0)
    sound = lost <= MOST_LOST and all(check.failed is None for check in checks_of(report.rungs))
    return f'{"Faithful export" if sound else "Export"} of {weak}'


def summary(report: Report) -> str:
    """What was written, in two lines."""
    operations = ', '.join(f'{count} {name}' for name, count in sorted(report.operations.items(), key=lambda i: -i[1]))
    width, height = report.info.input_size
    stored = report.info.weights + (' (experimental)' if report.info.weights in EXPERIMENTAL else '')
    counts = {'classes': len(report.info.classes), **report.facts}
    facts = ', '.join(f'{count:,} {name}' for name, count in counts.items())
    return (
        f'{report.artifact}: {report.bytes / 1e6:.1f} MB, {report.info.target}, {report.info.precision}, '
        f'weights {stored}, {width}x{height} px, {facts}\n'
        f'operations: {operations}'
    )
