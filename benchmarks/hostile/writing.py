"""Commands that are killed while they write, and disks that are full: what stood there is whole, or what comes is."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random

from hostile.bases import BACKBONE, BOXES, CONFIG, DATA, ONNX, PACKAGE, PHOTOS, WEIGHTS, Bases
from hostile.measures import READERS, readable
from hostile.trial import FAILED, REFUSED, RIGHT, Files, Room, Verdict, badly_refused, files_in, last_line

LARGEST = 150_000  # bytes: about what the largest output here has
LEAST = 8192  # bytes: what the command says goes into a file too
MERGED = ('found',)  # a folder that others may have written to
PAGES = 4096  # bytes: of memory that a file system in memory gives out at once


@dataclass(frozen=True)
class Writer:
    """A command that writes.

    Attributes:
        words: the command line.
        needs: what it reads, of the base of boxes.
        earlier: options of the run before it, whose output it replaces; None where it replaces nothing.
        outputs: what it writes, together; a kill may leave the first alone, old or new.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...]
    earlier: tuple[str, ...] | None
    outputs: tuple[str, ...]


DRAW = ('toy-data', 'shapes', '--images', '6', '--val', '3', '--size', '48')
WRITERS = (
    Writer(('fuse', CONFIG, WEIGHTS, '--out', 'f.pth'), (CONFIG, DATA, WEIGHTS), (), ('f.pth', 'f.py')),
    Writer(('predict', PACKAGE, PHOTOS, '--out', 'found'), (PACKAGE, PHOTOS), ('--score-threshold', '0.9'), ('found',)),
    Writer(('convert', BACKBONE, 'out.pth', '--to', 'timm'), (BACKBONE,), ('--to', 'mmpretrain'), ('out.pth',)),
    Writer(
        ('check', CONFIG, '--out', 'looked', '--report', 'r.json'),
        (CONFIG, DATA),
        ('--seed', '7'),
        ('looked', 'r.json'),
    ),
    *(
        Writer(
            ('export', CONFIG, WEIGHTS, '--out', name, '--report', 'r.json'),
            (CONFIG, DATA, WEIGHTS),
            ('--weights', 'int8') if name == PACKAGE else ('--nms',),
            (name, f'{name}.report.html', 'r.json'),
        )
        for name in (PACKAGE, ONNX)
    ),
    Writer(DRAW, (), ('--seed', '7'), ('shapes',)),
    Writer((*DRAW, '--masks'), (), ('--seed', '7'), ('shapes',)),
    Writer((*DRAW, '--class-folders'), (), ('--seed', '7'), ('shapes',)),
    Writer(('init', 'new.py', '--data', DATA), (DATA,), None, ('new.py',)),
    Writer(('verify', PACKAGE, '--report', 'r.json'), (PACKAGE,), (), ('r.json',)),
)


def killed(random: Random, room: Room, bases: Bases) -> Verdict:
    """A command is killed at some moment; then its outputs are looked at, and it is run again."""
    writer, old, new = _before(random, room, bases)
    moment = random.random() * bases.seconds(writer.words)
    ended = room.run(writer.words, killed_after=moment)
    what = f'killed after {moment:.2f} s' + (', an earlier run there' if old else '')
    found = files_in(room.here)
    wrong = _mixed(writer, found, old, new, room.here)
    if writer.earlier is None:  # what it never replaces
        for name in writer.outputs:
            (room.here / name).unlink(missing_ok=True)
    again = room.run(writer.words)
    left = [name for name in files_in(room.here) if Path(name).parts[0].startswith('.')]
    if again.status != 0:
        wrong = wrong or f'cannot be run again: {last_line(again)}'
    elif left:
        wrong = wrong or f'the next run leaves {left[0]}'
    elif broken := readable(room.here):
        wrong = wrong or broken
    outcome = FAILED if wrong else RIGHT
    return Verdict(outcome, what, wrong or '', ' '.join(writer.words), ended.seconds + again.seconds)


def _before(random: Random, room: Room, bases: Bases) -> tuple[Writer, Files, Files]:
    """Choose a command, and lay what it reads and replaces: its outputs then, and those of a run that nobody stops."""
    writer = random.choice(WRITERS)
    bases.put(BOXES, room, *writer.needs)
    inputs = files_in(room.here)
    old: Files = {}
    if writer.earlier is not None and random.random() < 0.7:
        room.run((*writer.words, *writer.earlier))
        old = {name: digest for name, digest in files_in(room.here).items() if name not in inputs}
    return writer, old, bases.outputs(writer.words, writer.needs)


def _mixed(writer: Writer, found: Files, old: Files, new: Files, here: Path) -> str:
    """What is neither the old nor the new, whole, or is of another writing than the rest; empty where nothing is."""
    first, states = writer.outputs[0], {}
    if _part(old, first) and not _part(found, first):
        return f'{first} is gone'
    for top in writer.outputs:
        part, before = _part(found, top), _part(old, top)
        for name, digest in part.items():
            if digest not in (old.get(name), new.get(name)) and not _whole(here / name):
                return f'{name} is half'
        if top not in MERGED and _in_part(part, before, _part(new, top)):
            return f'{top} holds a part of the new'
        if part and before != _part(new, top):  # else they cannot be told apart
            states[top] = 'old' if part == before else 'new'
    if len(set(states.values())) > 1:
        return ' and '.join(f'{top} is {state}' for top, state in states.items())
    return ''


def _in_part(part: Files, old: Files, new: Files) -> bool:
    """Whether a folder holds files of two runs, or not all of one; of a package, each run's differ."""
    if set(part) not in (set(), set(old), set(new)):
        return True
    kept = [name for name, digest in part.items() if digest == old.get(name) != new.get(name)]
    return bool(kept) and any(digest != old.get(name) for name, digest in part.items())


def _part(files: Files, top: str) -> Files:
    """An output's file, or all of its folder's."""
    return {name: digest for name, digest in files.items() if name == top or name.startswith(f'{top}/')}


def _whole(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        READERS.get(path.suffix, lambda _: None)(path)
    except Exception:
        return False
    return True


def full_disk(random: Random, room: Room, bases: Bases) -> Verdict:
    """No file may become larger than some bytes, or the disk that the folder is on has little room left."""
    in_memory = random.random() < 0.5
    writer = random.choice([one for one in WRITERS if one.words[0] != 'init'])
    bases.put(BOXES, room, *writer.needs)
    inputs = files_in(room.here)
    if writer.earlier is not None and random.random() < 0.5:
        room.run((*writer.words, *writer.earlier))
    old = {name: digest for name, digest in files_in(room.here).items() if name not in inputs}
    free = int(LARGEST * random.random() ** 2)
    if in_memory and _mounted(room, free):
        try:
            return _on_full(writer, room, old, None, f'{free:,} bytes left on the disk')
        finally:
            subprocess.run(['umount', '-l', str(room.here)], check=False)
    limit = max(LEAST, free)
    return _on_full(writer, room, old, limit, f'no file of more than {limit:,} bytes')


def _on_full(writer: Writer, room: Room, old: Files, limit: int | None, what: str) -> Verdict:
    before = files_in(room.here)
    ended = room.run(writer.words, file_bytes=limit)
    after = files_in(room.here)
    command = ' '.join(writer.words)
    if ended.status == 0:
        wrong = readable(room.here)
        return Verdict(FAILED if wrong else RIGHT, what, wrong or '', command, ended.seconds)
    names = (*writer.outputs, 'TMPDIR')  # which is on the disk too
    wrong = badly_refused(names, ended) if ended.status > 0 and not ended.late else f'status {ended.status}'
    changed = [name for name in before if after.get(name) != before[name]]
    new = [name for name in after if name not in before]
    if not wrong and writer.outputs == ('found',):  # an unfinished folder of predictions has no list, which says so
        changed = new = []
        if 'found/predictions.json' in after and after != before:
            changed = ['found/predictions.json']
    wrong = wrong or (f'changed {changed[0]}' if changed else f'left {new[0]}' if new else '')
    said = last_line(ended)
    return Verdict(FAILED if wrong else REFUSED, what, f'{wrong}: {said}' if wrong else said, command, ended.seconds)


def _mounted(room: Room, free: int) -> bool:
    """Put the folder on a disk in memory that has so many bytes left; False where that cannot be."""
    files = [path for path in room.here.rglob('*')]
    pages = sum(1 + (-(-path.lstat().st_size // PAGES) if path.is_file() else 1) for path in files)
    aside = room.here.with_name('aside')
    room.here.rename(aside)
    room.here.mkdir()
    size = pages * PAGES + free
    done = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', str(room.here)], capture_output=True, check=False
    )
    shutil.copytree(aside, room.here, dirs_exist_ok=True, symlinks=True)
    shutil.rmtree(aside)
    return done.returncode == 0
