"""However a training is killed, its folder holds a whole checkpoint, and `resume` goes on from the last one."""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

PLAIN = {'type': 'mobileone_mm.PlainCheckpointHook'}
Watch = Callable[[str, tuple[Any, ...]], None]
CALLS = ('open', 'os.remove', 'os.rename', 'os.truncate')
WATCHES: list[Watch] = []  # what is called before each call to the system; hooks of Python stay for good


def tell(event: str, arguments: tuple[Any, ...]) -> None:
    watching, WATCHES[:] = list(WATCHES), []  # what a watch does itself is not watched
    for watch in watching:
        watch(event, arguments)
    WATCHES[:] = watching


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    if not hasattr(sys, 'told'):
        sys.addaudithook(tell)
        sys.told = True  # type: ignore[attr-defined]
    yield WATCHES
    WATCHES.clear()


def is_whole(path: Path) -> bool:
    return zipfile.is_zipfile(path) and zipfile.ZipFile(path).testzip() is None


@HOOKS.register_module()
class AnyIsBetter(Hook):  # type: ignore[misc]
    """Forgets the best score, so that each epoch is the best one so far."""

    def before_val_epoch(self, runner: Runner) -> None:
        runner.message_hub.update_info('best_score', -1.0)


@pytest.mark.parametrize('kind', ['epoch', 'iter'])
def test_at_no_moment_a_run_is_without_a_whole_checkpoint(
    kind: str, config: Config, build: Callable[..., Runner], watches: list[Watch]
) -> None:
    folder = Path(config.work_dir)
    seen: list[set[str]] = [set()]
    wrong: list[str] = []

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        """What a kill at this moment would leave."""
        path = Path(os.fsdecode(arguments[0])) if event in CALLS and isinstance(arguments[0], str | bytes) else None
        if path is None or folder not in path.parents or 'r' == (event == 'open' and arguments[1]):
            return
        if event == 'open' and path.parent == folder and path.suffix == '.pth':
            wrong.append(f'{path} is written in place')
        files = {one.name for one in os.scandir(folder) if one.name.endswith('.pth')}
        seen.append(files)
        for prefix in (f'{kind}_', 'best_'):
            had, has = ([name for name in names if name.startswith(prefix)] for names in (seen[-2], files))
            if had and not any(is_whole(folder / name) for name in has):
                wrong.append(f'before {event} of {path}, there is no whole {prefix}*.pth')

    watches.append(look)
    saving = {'max_keep_ckpts': 1, 'by_epoch': kind == 'epoch', 'interval': 1 if kind == 'epoch' else 2}
    build(config, PLAIN, {'type': 'AnyIsBetter'}, default_hooks={'checkpoint': saving}).train()
    watches.clear()
    assert wrong == []
    assert max(map(len, seen)) > len(list(folder.glob('*.pth'))) == 2  # the old one is there until the new one is
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]


@pytest.mark.parametrize('noted', ['epoch_0.pth', '', None])
def test_what_was_written_and_not_yet_noted_is_gone_on_from(
    noted: str | None, config: Config, build: Callable[..., Runner]
) -> None:
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    last = Path(config.work_dir) / 'last_checkpoint'
    if noted is None:
        last.unlink()
    else:
        last.write_text(noted and str(last.with_name(noted)))
    before = last.with_name('epoch_1.pth').stat().st_ino
    resumed = build(config, PLAIN, resume=True)
    resumed.train()
    assert last.with_name('epoch_1.pth').stat().st_ino == before
    saved = torch.load(last.with_name('epoch_2.pth'), weights_only=True)  # noqa: TID251 - written above
    assert saved['meta']['epoch'] == 2
    assert resumed.message_hub.get_scalar('train/loss').data[0].size == 4  # of both epochs, two steps each


def test_what_a_killed_training_was_writing_goes_with_the_next_one(
    config: Config, build: Callable[..., Runner]
) -> None:
    folder = Path(config.work_dir)
    mine = folder / '.epoch_1.pth.settings'
    for room in (folder / '.best_epoch_1.ckpt.abcd12_4', mine):
        (room / 'new').mkdir(parents=True)
        (room / 'new/half').write_bytes(b'half')
        (room / 'lock').touch()
    (folder / '.best_epoch_1.ckpt.abcd12_4/lock').write_text('mobileone_mm: process 1 on there\n')
    build(config, PLAIN, train_cfg={'max_epochs': 1}).train()
    assert [path for path in folder.iterdir() if path.name.startswith('.')] == [mine]
    assert (mine / 'new/half').is_file()
