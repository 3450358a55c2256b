"""The page's answer to whether the file is the model that was trained: one row a check, numbers for those who ask."""

from collections.abc import Sequence

from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.verdict import Check, checks_of, share_of
from mobileone_mm.pages.parts import bar, fold, number, percent, plain, prose, section, small, table

INTRO = (
    'Each form of the model, from the trained one to the saved file, against the one before it. The bar is how much '
    'of its limit the largest difference takes.'
)
MARKS = {'held': 'yes', 'over': 'NO', 'unmade': 'not run'}


def checks_section(rungs: Sequence[Rung], pictures: str) -> str:
    """All checks, those that could not be made included, and what they were made on."""
    heads = '<th>check</th><th>holds?</th><th>share of its limit</th>'
    rows = table('checks', heads, [_row(check) for check in checks_of(rungs)])
    numbers = fold('Numbers, limits and technical names', _numbers(rungs))
    return section('Checks', f'{INTRO} Made on {plain(pictures)}.', f'{rows}\n{numbers}')


def _row(check: Check) -> str:
    state = 'over' if check.failed else 'held' if check.made else 'unmade'
    closeness = percent(check.share) if check.share else 'no difference'
    share = f'<span class="share">{bar(check.share)}<span class="percent">{closeness}</span></span>'
    return (
        f'<tr class="{state}"><th scope="row">{plain(check.title)}{small(check.missing)}{small(check.widened)}</th>'
        f'<td class="mark">{MARKS[state]}</td><td>{share if check.made else ""}</td></tr>'
    )


def _numbers(rungs: Sequence[Rung]) -> str:
    heads = '<th>compared</th><th class="number">worst</th><th class="number">limit</th><th class="number">share</th>'
    return table('numbers', heads, [_number_row(rung) for rung in rungs])


def _number_row(rung: Rung) -> str:
    notes = [rung.note] if rung.note else []
    if rung.psnr_db is not None:
        notes.append(f'PSNR {rung.psnr_db:.0f} dB')
    share = percent(share_of(rung)) if rung.value is not None else '&ndash;'
    said = ''.join(f'<small>{prose(note)}</small>' for note in notes)
    return (
        f'<tr><th scope="row">{plain(rung.name.replace("->", "→"))}{said}</th>'
        f'<td class="number">{number(rung.value)}</td>'
        f'<td class="number limit">{number(rung.limit)} <span class="unit">{plain(rung.unit)}</span></td>'
        f'<td class="number">{share}</td></tr>'
    )
