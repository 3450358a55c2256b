"""Trainings that are killed and resumed: no checkpoint is half, and the end is that of one that nobody stopped."""

from pathlib import Path
from random import Random

from hostile.bases import CONFIG, DATA, LAST, LONG, SECONDS, TASKS, Bases
from hostile.measures import readable, same_tensors
from hostile.trial import FAILED, REFUSED, RIGHT, Room, Verdict, badly_refused, files_in, last_line

TRAIN = ('train', CONFIG, '--work-dir', 'w', *LONG)


def killed(random: Random, room: Room, bases: Bases) -> Verdict:
    """A training that keeps one checkpoint is killed at some moment, and resumed."""
    task = bases.one_of(TASKS, random)
    expected, seconds = bases.get(task, LAST), float(bases.get(task, SECONDS).read_text())
    bases.put(task, room, DATA, CONFIG)
    inputs = files_in(room.here)
    moment = random.random() * seconds
    ended = room.run(TRAIN, killed_after=moment)
    left = sorted(path.name for path in (room.here / 'w').glob('*.pth'))
    half = readable(room.here)
    again = room.run((*TRAIN, '--resume'))
    after = files_in(room.here)
    lost = [name for name in inputs if after.get(name) != inputs[name]]
    what = f'{task}: killed after {moment:.2f} s, {", ".join(left) or "no checkpoint"} there'
    command, spent = ' '.join((*TRAIN, '--resume')), ended.seconds + again.seconds
    if half or lost:
        return Verdict(FAILED, what, half or f'changed {lost[0]}', command, spent)
    if again.status != 0:
        wrong = badly_refused(left, again) if again.status > 0 and not again.late else f'status {again.status}'
        said = last_line(again)
        return Verdict(FAILED if wrong else REFUSED, what, f'{wrong}: {said}' if wrong else said, command, spent)
    name = Path('w') / LAST
    hidden = [path.name for path in (room.here / 'w').glob('.*')]
    wrong = f'left {hidden[0]}' if hidden else readable(room.here) or same_tensors(str(name), expected)(room.here) or ''
    return Verdict(FAILED if wrong else RIGHT, what, wrong, command, spent)
