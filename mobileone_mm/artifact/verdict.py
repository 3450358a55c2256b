"""What the comparisons of an export come to, in a reader's words: whether the file is the model that was trained."""

from collections.abc import Sequence
from dataclasses import dataclass

from mobileone_mm.artifact.ladder import PROBE_RUNG, Rung, cure_of, failure, first_failed, plain_name

SAME = 'Same as the model you trained'
SAME_AS_EXPORTED = 'Same as when it was exported'


@dataclass(frozen=True)
class Check:
    """A comparison in all its units.

    Attributes:
        name: of the rungs.
        rungs: one a unit.
    """

    name: str
    rungs: tuple[Rung, ...]

    @property
    def title(self) -> str:
        """Its name in plain words."""
        return plain_name(self.name)

    @property
    def made(self) -> bool:
        """Whether any of it could be made."""
        return any(rung.value is not None for rung in self.rungs)

    @property
    def failed(self) -> Rung | None:
        """The first rung that is beyond its limit."""
        return next((rung for rung in self.rungs if rung.value is not None and not rung.holds), None)

    @property
    def share(self) -> float:
        """Part of its limit that its worst value takes, 0 without any; 1 and more is what fails, NaN included."""
        return max(map(share_of, self.rungs))

    @property
    def missing(self) -> str:
        """Why a part of it could not be made; empty if all was."""
        return next((rung.note for rung in self.rungs if rung.value is None), '')

    @property
    def widened(self) -> str:
        """Which limits were widened for it to hold, and why; empty where none was."""
        return '; '.join(rung.note for rung in self.rungs if rung.rounding)


def share_of(rung: Rung) -> float:
    """Part of the limit that a value takes: 0 without one, infinite for NaN and for what is beyond a limit of zero."""
    if not rung.value:
        return 0.0
    if rung.value != rung.value or not rung.limit:
        return float('inf')
    return rung.value / rung.limit


def checks_of(rungs: Sequence[Rung]) -> list[Check]:
    """Rungs of one name together, in order."""
    names = dict.fromkeys(rung.name for rung in rungs)
    return [Check(name, tuple(rung for rung in rungs if rung.name == name)) for name in names]


def verdict(rungs: Sequence[Rung], stored: str, question: str = SAME) -> str:
    """The answer in one sentence without its full stop, with the first check that failed and what helps.

    Args:
        rungs: all that were made or left out.
        stored: how the file stores its weights, one of `card.STORED`.
        question: what is asked.
    """
    rung = first_failed(rungs)
    if rung is not None:
        cure = cure_of(rung)
        said = [failure(rung), f'{question}: NO', rung.note[:1].upper() + rung.note[1:], cure and f'What helps: {cure}']
        return '. '.join(filter(None, said))
    lossy = [] if stored.startswith('float') else [f'{stored} weights']
    lossy += dict.fromkeys(rung.rounding for rung in rungs if rung.rounding)
    return f'{question}: yes' + (f', within the limits for {" and ".join(lossy)}' if lossy else '')


def same_as_exported(rungs: Sequence[Rung], stored: str, failed: bool) -> str:
    """Whether a file is still what its export wrote, in one sentence without its full stop.

    Of a file that was kept although it `failed`, what failed then may fail now: only its own account of what it finds
    says whether it was changed.
    """
    asked = [rung for rung in rungs if rung.name == PROBE_RUNG] if failed else rungs
    return verdict(asked, stored, SAME_AS_EXPORTED)


def checked(rungs: Sequence[Rung], pictures: str) -> str:
    """How many checks were made on what pictures, and which ones could not be."""
    checks = checks_of(rungs)
    made = sum(check.made for check in checks)
    left = [f'{check.title}: {check.missing.replace(": ", ", ", 1)}' for check in checks if not check.made]
    return '; '.join([f'checked here: {made} {"check" if made == 1 else "checks"} on {pictures}', *left])
