"""The page about an evaluation: scores, and what was mistaken and missed."""

from pathlib import Path

from mobileone_mm.atomic import replacing
from mobileone_mm.evaluation.judgement import Judgement
from mobileone_mm.evaluation.judgement_sections import sections
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.evaluation.scores_section import scored, scores_section
from mobileone_mm.evaluation.weakness import weakness
from mobileone_mm.outputs import EVALUATION, EVALUATION_MARK
from mobileone_mm.pages.frame import fact, framed
from mobileone_mm.pages.parts import begun, plain


def write_page(path: Path, scores: Scores, judgement: Judgement, task: str) -> None:
    """Write the page; it appears whole or not at all.

    Raises:
        UsageError: what stands at the path is no such page.
    """
    html = page(scores, judgement, task)
    with replacing(path, EVALUATION) as fresh:
        fresh.write_text(html, encoding='utf-8')


def page(scores: Scores, judgement: Judgement, task: str) -> str:
    """The page as HTML.

    Args:
        scores: of the artefact, and of what it is compared with.
        judgement: of the artefact's predictions.
        task: what it is for.
    """
    name = Path(scores.artifact).name
    drawn = [scores_section(scores)]
    if judgement.pictures:
        drawn += sections(judgement, f'{judgement.pictures} test pictures, predicted by {name}')
    rules = ', '.join(f'{title} {value:g}' for title, value in scores.rules.items())
    return framed(
        EVALUATION_MARK,
        f'{name} - evaluation',
        f'{task} · evaluation',
        name,
        _answer(scores),
        [
            fact('Pictures', f'{scores.pictures} of {scores.total}'),
            fact('Time', f'{1000 * scores.seconds:.0f} ms a picture', 'here, with one thread'),
            *([fact('Rules', rules, wide=True)] if rules else []),
            fact('File', scores.artifact, wide=True),
            fact('Config', scores.config, wide=True),
        ],
        drawn,
    )


def _answer(scores: Scores) -> str:
    """What it scores, and what is wrong with that."""
    answer = f'<div class="verdict plain"><p><b>{scored(scores)}</b></p></div>'
    if scores.verdict:
        answer += f'<p class="verdict weak">{plain(scores.verdict)}</p>'
    if weak := weakness(scores):
        answer += f'<p class="verdict weak"><b>{plain(begun(weak))}.</b></p>'
    return answer
