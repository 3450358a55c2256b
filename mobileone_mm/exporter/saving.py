"""A converted model saved with its card, opened again and checked."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobileone_mm.artifact import ladder
from mobileone_mm.artifact.card import KEY_PREFIX, PASSED, Card
from mobileone_mm.artifact.inputs import Picture
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.errors import ExportError
from mobileone_mm.exporter.model_checks import Checked
from mobileone_mm.targets.target import Draft, Saved, Target

KEEP_IT = '`keep_failed` writes the file all the same, to try how fast it is'


@dataclass(frozen=True)
class SavedFile:
    """A file that was written and checked.

    Attributes:
        card: what it says about itself.
        opened: the file.
        rungs: its checks.
    """

    card: Card
    opened: Saved
    rungs: Sequence[Rung]


def save_checked(
    target: Target,
    draft: Draft,
    card: Card,
    path: Path,
    checked: Checked,
    pictures: Sequence[Picture],
    keep_failed: bool,
) -> SavedFile:
    """Save a draft with its card, and check what was saved; with `keep_failed`, again with what failed.

    Raises:
        ParityError: a check failed, unless `keep_failed`.
        ExportError: a rule of the format is broken, or the file says something else about itself than the card.
    """
    opened = _saved(target, draft, card, path)
    rungs = target.rungs(opened, card, checked.graph, pictures, checked.raw)
    if not keep_failed:
        ladder.require_rungs(rungs, KEEP_IT)
    failed = [rung for rung in rungs if ladder.first_failed([rung]) is not None]
    if failed:
        card = replace(
            card,
            verdict=card.verdict if card.failed else verdict_on(failed),
            parity=(*card.parity, *ladder.as_dicts(failed)),
        )
        _remove(path)
        opened = _saved(target, draft, card, path)
    return SavedFile(card, opened, rungs)


def verdict_on(rungs: Sequence[Rung]) -> str:
    """What a card says of the file that these are the checks of."""
    failed = ladder.first_failed(rungs)
    return PASSED if failed is None else ladder.failure(failed)


def _saved(target: Target, draft: Draft, card: Card, path: Path) -> Saved:
    draft.save(card, path)
    opened: Saved = target.open(path)
    said, given = target.check(opened).as_metadata(), card.as_metadata()  # as text: a list may come back as a tuple
    wrong = [key.removeprefix(KEY_PREFIX) for key in given if said.get(key) != given[key]]
    if wrong:
        raise ExportError(f'{path.name}: its metadata have other {" and ".join(wrong)} than it was saved with')
    return opened


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
