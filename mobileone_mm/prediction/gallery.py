"""Pictures in, pictures with what was found and its JSON out; with a second model, side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from mobileone_mm.errors import ConfigError
from mobileone_mm.locks import holding
from mobileone_mm.openmmlab.classes import require_same_classes
from mobileone_mm.outputs import report_text, signed_jpeg
from mobileone_mm.pictures.drawing import beside, resized
from mobileone_mm.pictures.reading import Picture, channels_swapped, read_picture
from mobileone_mm.prediction.folder import written_whole
from mobileone_mm.prediction.predictors import Predictor
from mobileone_mm.prediction.sources import LIST, out_paths, require_room
from mobileone_mm.track import Track, untracked

LEAST_SIDE = 480  # px of the longer side of a drawn picture; on a smaller one, labels would hide what they name


@dataclass(frozen=True)
class Outcome:
    """What was found.

    Attributes:
        pictures: number of pictures.
        found: how often each class was.
        counted: the same in words.
        compared: how far two models agree; None for one.
    """

    pictures: int
    found: Counter[str]
    counted: str
    compared: Any


@holding()
def predict(
    predictor: Predictor,
    other: Predictor | None,
    files: Sequence[Path],
    rules: Any,
    out: Path,
    track: Track = untracked,
) -> Outcome:
    """Write every picture with what was found in it, and `predictions.json`, to the folder `out`, all at the end.

    Drawn pictures have the size of their files, small ones at least `LEAST_SIDE`; the list is in px of the files. With
    `other`, what both find is side by side, under the same rules, and what differs is marked.

    Raises:
        UsageError: `out` is another's folder, or holds something of another's under a name that is to be written; or
            another process is writing it.
        ConfigError: the two have different classes, or are for different tasks.
        DataError: a picture cannot be read; then nothing was written.
    """
    if other:
        _require_comparable(predictor, other)
    require_room(out, files, [predictor.path, *([other.path] if other else [])])
    for file in files:
        read_picture(file)  # a broken one shall not be found out after hours
    with written_whole(out, files) as fresh:
        return _drawn(predictor, other, files, rules, fresh, track)


def _drawn(
    predictor: Predictor, other: Predictor | None, files: Sequence[Path], rules: Any, out: Path, track: Track
) -> Outcome:
    """What `predict` does, in a folder that nobody sees yet."""
    look, classes = predictor.task.look, predictor.classes
    entries, agreements, counts = [], [], Counter[str]()
    for file, target in track(list(zip(files, out_paths(files, out), strict=True)), 'pictures'):
        picture = read_picture(file)
        height, width = picture.shape[:2]
        size = (width, height)
        found, others = _found(predictor, other, picture, rules)
        counts.update(look.counts(found, classes))
        entry = {
            'file': str(file),
            'picture': target.name,
            'width': width,
            'height': height,
            look.key: look.as_json(found, classes, size),
        }
        canvas = resized(picture, LEAST_SIDE) if max(size) < LEAST_SIDE else picture
        if other is not None:
            compared = look.agree(found, others, size)
            agreements.append(compared)
            entry['compared'] = look.as_json(others, classes, size)
            pair = look.draw_pair(canvas, found, others, classes, compared)
            _write(target, beside(*pair, (predictor.path, other.path)))
        else:
            _write(target, look.draw(canvas, found, classes))
        entries.append(entry)
    total = look.total(agreements) if other else None
    (out / LIST).write_text(report_text(_list(predictor, other, rules, entries, total)))
    return Outcome(len(files), counts, look.counted(counts), total)


def _require_comparable(predictor: Predictor, other: Predictor) -> None:
    if other.task != predictor.task:
        raise ConfigError(
            f'{other.path} is a {other.task.noun}, {predictor.path} a {predictor.task.noun}; only two of a kind can be '
            'compared'
        )
    require_same_classes(
        (f'{other.path} has the classes', other.classes),
        (f'{predictor.path} has', predictor.classes),
        'only models with the same classes can be compared',
    )


def _found(predictor: Predictor, other: Predictor | None, picture: Picture, rules: Any) -> tuple[Any, Any]:
    if other is None:
        return predictor.predict(picture, rules), None
    return predictor.task.look.by_both(partial(predictor.predict, picture), partial(other.predict, picture), rules)


def _write(path: Path, picture: Picture) -> None:
    done, jpeg = cv2.imencode(path.suffix, channels_swapped(picture))
    if not done:
        raise OSError(f'{path}: cannot be written')
    path.write_bytes(signed_jpeg(jpeg.tobytes()))


def _list(
    predictor: Predictor, other: Predictor | None, rules: Any, entries: Sequence[dict[str, Any]], total: Any
) -> dict[str, Any]:
    return {
        predictor.task.noun: predictor.path,
        **({'compared_with': other.path} if other else {}),
        **({'agreement': asdict(total)} if total else {}),
        **asdict(rules),
        'pictures': list(entries),
    }


def summary(outcome: Outcome) -> Iterator[str]:
    """What was found, in lines."""
    yield f'pictures: {outcome.pictures}, {outcome.counted}'
    if outcome.compared:
        yield outcome.compared.said('left', 'right')
