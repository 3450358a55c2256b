"""The demo's machinery, on commands of an instant."""

from pathlib import Path

import pytest

from mobileone_mm.demo import steps
from mobileone_mm.errors import UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'demo' / 'logs').mkdir(parents=True)
    return tmp_path


def run(root: Path, *todo: steps.Step) -> tuple[list[steps.Done], list[str]]:
    said: list[str] = []
    return list(steps.run_steps(root, todo, said.append)), said


def test_steps_run_in_order_and_leave_logs(root: Path) -> None:
    done, said = run(
        root,
        steps.Step('one', 'draw', 'toy-data one --images 1 --val 1 --size 32'),
        steps.Step('two', 'say the version', '--version'),
    )
    assert [(step.name, step.command) for step in done] == [
        ('one', 'mobileone toy-data one --images 1 --val 1 --size 32'),
        ('two', 'mobileone --version'),
    ]
    assert all(step.seconds > 0 for step in done)
    assert (root / 'one/annotations/val.json').is_file()
    assert (root / 'demo/logs/one.log').read_text().startswith('one: train 1 images')
    assert any('[1/2] one: draw' in line and '$ mobileone toy-data one' in line for line in said)


def test_the_environment_of_this_interpreter_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', '/nowhere')
    done, _ = run(root, steps.Step('who', '', '--version'))
    assert [step.name for step in done] == ['who']


def test_a_failing_step_names_itself_its_reason_and_its_log(root: Path) -> None:
    fails, never = steps.Step('boom', '', 'verify none.mlpackage'), steps.Step('never', '', 'toy-data never')
    with pytest.raises(
        steps.StepError, match=r'\[1/2\] boom failed with status 1: error: none.*\n.*demo/logs/boom\.log'
    ):
        run(root, fails, never)
    assert not (root / 'never').exists()


def test_what_a_step_says_is_said_and_logged(root: Path) -> None:
    said: list[str] = []
    with pytest.raises(steps.StepError):
        list(steps.run_steps(root, [steps.Step('wrong', '', 'no-such-verb')], said.append))
    assert said[-1].startswith('  error: no-such-verb')
    assert said[-1].strip() in (root / 'demo/logs/wrong.log').read_text()


def test_the_best_checkpoint_is_put_into_later_commands(root: Path) -> None:
    (root / 'demo/training').mkdir()
    for name in ('best_x.pth', 'best_x_fused.pth'):
        (root / 'demo/training' / name).touch()
    with pytest.raises(steps.StepError, match='best_x'):
        run(root, steps.Step('test', '', f'fuse demo_ssd {steps.BEST}'))


@pytest.mark.parametrize('names', [[], ['best_a.pth', 'best_b.pth']])
def test_none_or_two_best_checkpoints_are_an_error(root: Path, names: list[str]) -> None:
    (root / 'demo/training').mkdir()
    for name in names:
        (root / 'demo/training' / name).touch()
    with pytest.raises(steps.StepError, match=f'{len(names)} best checkpoints, expected 1; see demo/logs/train.log'):
        steps.best_checkpoint(root)


def test_an_earlier_demo_is_put_aside_whole(tmp_path: Path) -> None:
    assert steps.make_room(tmp_path) is None  # nothing there yet
    for number in (1, 2):
        (tmp_path / 'demo/training').mkdir()
        (tmp_path / 'demo/training/mine.pth').write_text(f'precious {number}')
        assert steps.make_room(tmp_path) == tmp_path / f'demo_{number}'
        assert (tmp_path / f'demo_{number}/training/mine.pth').read_text() == f'precious {number}'
        assert sorted(path.name for path in (tmp_path / 'demo').rglob('*')) == ['.mobileone_mm', 'logs']


def test_a_folder_that_no_demo_made_stays(tmp_path: Path) -> None:
    (tmp_path / 'demo').mkdir()
    (tmp_path / 'demo/mine.txt').touch()
    with pytest.raises(UsageError, match='demo'):
        steps.make_room(tmp_path)
    assert [path.name for path in tmp_path.rglob('*')] == ['demo', 'mine.txt']
