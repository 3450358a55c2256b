"""`mobileone toy-data` as typed."""

import re
import shlex
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from mobileone_mm import cli
from mobileone_mm.commands import init
from mobileone_mm.commands.toy_data import main
from mobileone_mm.openmmlab.configs import load_config

SMALL = ['--images', '3', '--val', '2', '--size', '64', '--seed', '5']


def test_writes_a_set_and_names_the_command_that_writes_a_config_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'new' / 'set'
    assert cli.run(main, [str(out), *SMALL]) == 0
    said = capsys.readouterr()
    assert said.err == ''
    assert len(list((out / 'images' / 'train').glob('*.png'))) == 3
    assert len(list((out / 'images' / 'val').glob('*.png'))) == 2
    first, last = said.out.splitlines()
    assert first.startswith(f'{out}: train 3 images, ')
    start = f'next: {cli.command("init")} '
    assert last.startswith(start)
    monkeypatch.chdir(tmp_path)
    assert cli.run(init.main, shlex.split(last.removeprefix(start))) == 0
    require_there(load_config('my_set.py'))


def test_one_picture_is_too_few_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, [str(tmp_path / 'set'), '--images', '1', '--val', '1', '--size', '64']) == 0
    said = capsys.readouterr()
    assert 'next: ' not in said.out
    assert (
        said.err == f'{tmp_path / "set"}: too few pictures with a shape in them to train on; draw more with --images\n'
    )


def test_a_set_with_masks_ends_in_the_command_that_writes_a_config_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(main, ['shapes/', '--masks', *SMALL]) == 0
    said = capsys.readouterr()
    assert said.err == ''
    first, last = said.out.splitlines()
    assert re.fullmatch(r'shapes/: train 3 images, \d+ shapes; val 2, \d+', first)
    start = f'next: {cli.command("init")} '
    assert last.startswith(start)
    assert cli.run(init.main, shlex.split(last.removeprefix(start))) == 0
    config = load_config('my_set.py')
    init_default_scope('mmseg')
    for split, pictures in (('train', 3), ('val', 2), ('test', 2)):
        dataset = DATASETS.build(config[f'{split}_dataloader'].dataset)
        assert len(dataset) == pictures
        assert dataset.metainfo['classes'] == ('ground', 'circle', 'square', 'triangle')


def test_class_folders_end_in_the_command_that_writes_a_config_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(main, ['shapes', '--class-folders', '--images', '6', '--val', '4', '--size', '64']) == 0
    said = capsys.readouterr()
    assert said.err == ''
    first, last = said.out.splitlines()
    assert first == 'shapes: train 6 images, one shape each; val 4'
    start = f'next: {cli.command("init")} '
    assert last.startswith(start)
    assert cli.run(init.main, shlex.split(last.removeprefix(start))) == 0
    config = load_config('my_set.py')
    init_default_scope('mmpretrain')
    for split, pictures in (('train', 6), ('val', 4), ('test', 4)):
        dataset = DATASETS.build(config[f'{split}_dataloader'].dataset)
        assert len(dataset) == pictures
        assert dataset.metainfo['classes'] == ('circle', 'square', 'triangle')


def test_a_class_needs_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, [str(tmp_path / 'set'), '--class-folders', '--images', '2']) == 2
    assert capsys.readouterr() == ('', 'error: --images: 2 given, expected 3 or more, one of each class\n')


def test_of_one_picture_with_a_mask_no_config_is_spoken_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, [str(tmp_path / 'set'), '--masks', '--images', '1', '--val', '1', '--size', '64']) == 0
    said = capsys.readouterr()
    assert 'next: ' not in said.out
    assert 'draw more with --images' in said.err


def require_there(config: Config) -> None:
    for split in ('train', 'val', 'test'):
        dataset = config[f'{split}_dataloader'].dataset
        dataset = dataset.get('dataset', dataset)
        assert (Path(dataset.data_root) / dataset.ann_file).is_file()
    assert Path(config.test_evaluator.ann_file).is_file()


def test_wrong_usage_is_one_line_status_2_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(main, [str(tmp_path / 'new' / 'set'), '--images', '0']) == 2
    assert capsys.readouterr() == ('', 'error: --images: 0 given, expected 1 or more\n')
    assert list(tmp_path.iterdir()) == []


def test_a_way_through_a_missing_folder_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('real').mkdir()
    Path('ld').symlink_to('real')
    assert cli.run(main, ['real/a/../../ld/b', *SMALL]) == 2
    assert capsys.readouterr() == (
        '',
        f'error: real/a/../../ld/b: {tmp_path}/real/a is no folder, so that .. leads nowhere from there; '
        'choose another path\n',
    )
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['ld', 'real']
    assert cli.run(main, ['ld/b', *SMALL]) == 0
    assert (tmp_path / 'real/b/annotations/train.json').is_file()


@pytest.mark.parametrize('kind', [[], ['--masks'], ['--class-folders']])
def test_a_line_break_in_the_folders_name_is_written_out(
    kind: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(main, [str(tmp_path / 'a\nb'), *SMALL, '--val', '3', *kind]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(rf'{tmp_path}/a\nb: train 3 images, ')
