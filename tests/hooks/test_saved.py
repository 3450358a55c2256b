"""Which checkpoint a run goes on from: its own, wherever it saves to."""

from pathlib import Path

import pytest
import torch

from mobileone_mm.hooks.saved import Saving, last_checkpoint, saving

RUN, OTHER_RUN = '20261124_120000', '20261123_120000'


def stored(path: Path, run: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'meta': {'run': run}, 'state_dict': {'w': torch.zeros(1)}}, path)
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of a run that has begun."""
    (tmp_path / 'runA/my' / RUN).mkdir(parents=True)
    return tmp_path / 'runA/my'


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Where the checkpoints of all runs go whose work dir has this name."""
    return tmp_path / 'ck/my'


def last(work: Path, *folders: Path, noted: Path | None = None) -> str | None:
    if noted is not None:
        (work / 'last_checkpoint').write_text(str(noted))
    return last_checkpoint(work, [Saving(folder, 'epoch_{}.pth') for folder in folders])


def test_a_noted_one_that_is_there_has_no_double(work: Path, shared: Path) -> None:
    noted, double = stored(work / 'epoch_3.pth', RUN), stored(shared / 'epoch_3.pth', RUN)
    for folders in ((work, shared), (shared, work)):
        assert last(work, *folders, noted=noted) == str(noted)
        assert last(work, *folders, noted=double) == str(double)


def test_another_runs_is_never_taken(work: Path, shared: Path) -> None:
    other = stored(shared / 'epoch_3.pth', OTHER_RUN)
    assert last(work, shared) is None
    mine = stored(work / 'epoch_3.pth', RUN)
    assert last(work, shared, noted=mine) == str(mine)  # saved before the hook had a folder of its own
    assert last(work, shared, work, noted=Path('/before/it/was/moved/epoch_3.pth')) == str(mine)
    (work / 'last_checkpoint').unlink()
    stored(shared / 'epoch_9.pth', OTHER_RUN)
    assert last(work, shared, work) == str(mine)
    (shared / 'epoch_8.pth').write_bytes(b'no checkpoint')
    assert last(work, shared, work) == str(mine)
    later = stored(shared / 'epoch_4.pth', RUN)
    assert last(work, shared, work) == str(later)
    assert other.is_file()


def test_of_a_copy_its_own_is_taken(work: Path, shared: Path, tmp_path: Path) -> None:
    original = stored(tmp_path / 'original/epoch_3.pth', RUN)
    assert last(work, work, noted=original) == str(original)  # nothing was copied
    for folder in (shared, work):
        own = stored(folder / 'epoch_3.pth', RUN)
        assert last(work, shared, work, noted=original) == str(own)
        own.unlink()


def test_a_remote_one_is_taken_as_it_is_noted(work: Path) -> None:
    (work / 'last_checkpoint').write_text('s3://bucket/my/epoch_3.pth')
    assert last(work, work) == 's3://bucket/my/epoch_3.pth'


@pytest.mark.parametrize(
    ('template', 'names', 'expected'),
    [
        (
            'epoch_{}.pth',
            ['epoch_9.pth', 'epoch_10.pth', 'epoch_x.pth', 'best_epoch_11.pth', 'epoch_12.pth_'],
            'epoch_10.pth',
        ),
        ('m[1]_{:03d}.ckpt', ['m[1]_002.ckpt', 'm1_003.ckpt'], 'm[1]_002.ckpt'),
        ('A.bin', ['A.bin'], None),
    ],
)
def test_without_a_note_the_highest_is_taken(template: str, names: list[str], expected: str | None, work: Path) -> None:
    for name in names:
        (work / name).touch()
    assert last_checkpoint(work, [Saving(work, template)]) == (expected and str(work / expected))


def test_each_hook_has_a_folder_as_mmengine_works_it_out() -> None:
    work = Path('/runs/w')
    for out, folder in ((None, '/runs/w'), ('/out', '/out/w'), ('out', 'out/w'), ('', 'w'), ('/runs/w', '/runs/w')):
        assert saving(work, out, 'epoch_{}.pth') == Saving(Path(folder), 'epoch_{}.pth')
    assert saving(work, '/runs/w/', 'e').folder == Path('/runs/w/w')
