"""One self-contained page about an export: whether it is the model that was trained, what it scores, how it looks.

The frame and its style stand in `pages`; what changes is built here, every value escaped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mobileone_mm.artifact.card import CROPS, EXPERIMENTAL
from mobileone_mm.artifact.verdict import checks_of
from mobileone_mm.evaluation.scores_section import scored, scores_section
from mobileone_mm.exporter.page_checks import checks_section
from mobileone_mm.exporter.page_pictures import Pair, pictures_section
from mobileone_mm.exporter.report import Report, answer, weak_at
from mobileone_mm.outputs import PAGE_MARK
from mobileone_mm.pages.frame import chips, fact, fact_of, framed
from mobileone_mm.pages.parts import bars, begun, fold, plain, prose, section
from mobileone_mm.tasks.by_name import task_named

SHORT_HASH = 12  # hex digits
MOST_NAMED = 100  # classes; the names of more would hide what stands below them


def write_page(path: Path, report: Report, pairs: Sequence[Pair], snippet: tuple[str, str], lacking: str = '') -> None:
    """Write the page about an export.

    Args:
        path: the page, ending in .html; one that nobody reads yet (`atomic`).
        report: what was written and measured.
        pairs: pictures with what was found in them before and after; those that differ are shown first.
        snippet: what to do with the file, and the lines of code for it.
        lacking: why the pictures are no real ones; empty where they are.
    """
    path.write_text(page(report, pairs, snippet, lacking), encoding='utf-8')


def page(report: Report, pairs: Sequence[Pair], snippet: tuple[str, str], lacking: str = '') -> str:
    """The page as HTML."""
    info, name = report.info, report.artifact.name
    sections = [
        checks_section(report.rungs, report.pictures),
        *([scores_section(report.scores)] if report.scores else []),
        *([pictures_section(pairs, info, report.pictures, lacking)] if pairs else []),
        _use(*snippet),
        fold('How it was made: operations, time, versions', _making(report)),
    ]
    return framed(
        PAGE_MARK,
        f'{name} - export report',
        f'{info.task} · export report',
        name,
        _verdict(report),
        _facts(report),
        sections,
    )


def _verdict(report: Report) -> str:
    """Whether it is the model that was trained, how far that was checked, and whether that model is any good."""
    same, checked = answer(report)
    answered, _, why = same.partition('. ')
    mood = 'bad' if any(check.failed for check in checks_of(report.rungs)) else 'good'
    lines = [f'<p><b>{plain(answered)}</b></p>', *([f'<p class="why">{prose(why)}.</p>'] if why else [])]
    lines += [f'<p>{plain(begun(checked))}</p>', *([f'<p>{scored(report.scores)}</p>'] if report.scores else [])]
    weak = weak_at(report)
    warning = f'\n<p class="verdict weak"><b>{plain(weak)}.</b> No export mends that; training may.</p>'
    return f'<div class="verdict {mood}">{"".join(lines)}</div>{warning if weak else ""}'


def _facts(report: Report) -> list[str]:
    info = report.info
    weights = f'{info.weights}{" (experimental)" if info.weights in EXPERIMENTAL else ""}'
    width, height = info.input_size
    task = task_named(info.task)
    outputs = ', '.join(f'{count:,} {name}' for name, count in report.facts.items())
    count = f'{len(info.classes)} classes' if len(info.classes) > 1 else '1 class'
    names = chips(info.classes, task.look.colours(len(info.classes)))
    return [
        fact('Size', f'{report.bytes / 1e6:.1f} MB', f'{report.bytes:,} bytes'),
        fact('Input', f'{width}x{height} px', f'{info.crop}: {CROPS[info.crop]}'),
        fact('Target', info.target, f'computes in {info.precision}, weights {weights}'),
        *([fact('Outputs', outputs)] if outputs else []),
        fact('Config', info.config, wide=True),
        fact('Checkpoint', info.checkpoint, f'sha256 {info.checkpoint_sha256[:SHORT_HASH]}', wide=True),
        *(fact(*row) for row in task.export.shown_settings(info.settings)),
        fact_of(count, names if len(info.classes) <= MOST_NAMED else fold('Their names', names), wide=True),
    ]


def _use(intro: str, lines: str) -> str:
    code = '\n'.join(map(plain, lines.expandtabs(4).split('\n')))
    return section('Use it', plain(intro), f'<pre tabindex="0"><code>{code}</code></pre>')


def _making(report: Report) -> str:
    return '\n'.join([_operations(report.operations), _time(report.seconds), _versions(report.info.versions)])


def _operations(counts: Mapping[str, int]) -> str:
    intro = f'{sum(counts.values())} in the program, constants left out; the most frequent first.'
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return section('Operations', intro, bars([(name, count, f'{count}') for name, count in ordered]))


def _time(seconds: Mapping[str, float]) -> str:
    intro = f'The export took {sum(seconds.values()):.1f} s.'
    return section('Time', intro, bars([(name, value, f'{value:.2f} s') for name, value in seconds.items()]))


def _versions(versions: Mapping[str, str]) -> str:
    rows = '\n'.join(f'<div><dt>{plain(name)}</dt><dd>{plain(value)}</dd></div>' for name, value in versions.items())
    return f'<section>\n<h2>Made with</h2>\n<dl class="versions">\n{rows}\n</dl>\n</section>'
