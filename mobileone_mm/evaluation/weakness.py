"""Whether a model is weak by its own scores: an export cannot be better than what it was made from."""

from mobileone_mm.evaluation.scores import Scores, short

WEAK = 10.0  # points of 100; a model or class below it finds next to nothing
FAR_BELOW = 1 / 3  # of the mean over the classes; a class below it is left behind by the others
MOST_NAMED = 3  # classes that are named, the weakest first


def weakness(scores: Scores) -> str:
    """What the first model that was scored is weak at, to be put behind 'of'; empty where it is not.

    Args:
        scores: of it, and maybe of others.
    """
    number = scores.as_printed
    row = scores.rows[0]
    if (points := scores.points(row, scores.main)) is not None and points < WEAK:
        return f'a weak model: {short(scores.main)} {number(points)}, on {_pictures(scores)}'
    classes = scores.class_points(row)
    mean = sum(classes.values()) / max(len(classes), 1)
    weak = sorted((value, name) for name, value in classes.items() if value < max(WEAK, FAR_BELOW * mean))
    if not weak:
        return ''
    named = ', '.join(f'{name} {scores.class_metric} {number(value)}' for value, name in weak[:MOST_NAMED])
    more = f' and {len(weak) - MOST_NAMED} more' if len(weak) > MOST_NAMED else ''
    said = f'a model that is weak in places: {named}{more}, on {_pictures(scores)}'
    return f'{said}; the mean over its classes is {number(mean)}'


def _pictures(scores: Scores) -> str:
    return '1 picture' if scores.pictures == 1 else f'{scores.pictures} pictures'
