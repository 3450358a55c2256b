"""The campaign of hostile tries: a short one finds nothing, and what it is meant to find, it finds."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from hostile import bases, children, configs, damage, data, exported, trial, writing
from mobileone_mm.openmmlab.shipped import find_config

ROOT = Path(__file__).parents[2]
KINDS = (
    *(
        'lines',
        'configs',
        'annotations',
        'pictures',
        'checkpoints',
        'backbones',
        'packages',
        'onnx',
        'kills',
        'trainings',
        'disks',
    ),
)


def test_a_short_run_finds_no_failure(tmp_path: Path) -> None:
    pytest.importorskip('coremltools')
    words = ['--seed', '5', '--tries', '2', '--tasks', 'boxes', '--out', str(tmp_path / 'results')]
    command = [sys.executable, str(ROOT / 'benchmarks/attack.py'), *words]
    environment = {**os.environ, 'PYTHONWARNINGS': 'ignore'}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tries = json.loads((tmp_path / 'results/attack.json').read_text())['tries']
    assert Counter(one['kind'] for one in tries) == dict.fromkeys(KINDS, 2)
    assert {one['outcome'] for one in tries} <= {trial.RIGHT, trial.REFUSED}


TEMPLATES = {
    'boxes': 'ssd_mobileone_s0_own_coco',
    'xml': 'ssd_mobileone_s0_own_voc',
    'masks': 'deeplabv3_light_mobileone_s0_own_masks',
    'folders': 'mobileone_s0_own_classes',
}


@pytest.mark.parametrize('task', TEMPLATES)
def test_configs_that_tries_start_from_load_small_pictures(task: str) -> None:
    config = bases.tiny(find_config(TEMPLATES[task]), task)
    values = str([config[f'{part}_dataloader'] for part in ('train', 'val')])
    sides = [int(side) for side in re.findall(r"'(?:scale|crop_size)': [(\[]?(\d+)", values)]
    assert sides
    assert max(sides) <= max(bases.INPUT)


def ended(status: int = 1, err: str = '', out: str = '', late: bool = False) -> children.Ended:
    return children.Ended(status, out, err, 1.0, late)


@pytest.mark.parametrize(
    ('end', 'outcome', 'why'),
    [
        (ended(0), trial.RIGHT, ''),
        (ended(1, 'error: a.pth: cut\n'), trial.REFUSED, ''),
        (ended(2, 'mobileone fuse: error: a.pth: cut\n'), trial.REFUSED, ''),
        (ended(1, 'error: something is wrong\n'), trial.FAILED, 'names none of a.pth'),
        (ended(1, ''), trial.FAILED, '0 error lines'),
        (ended(1, 'error: a.pth\nerror: a.pth\n'), trial.FAILED, '2 error lines'),
        (
            ended(1, 'error: KeyError: a.pth (a defect; X=1 before the command shows where)'),
            trial.FAILED,
            'nobody foresaw',
        ),
        (ended(0, 'Traceback (most recent call last):\n  a.pth\n'), trial.FAILED, 'traceback'),
        (ended(-11), trial.FAILED, 'signal 11'),
        (ended(-9, late=True), trial.FAILED, 'hangs'),
    ],
    ids=str,
)
def test_what_counts_as_right_refused_and_failed(
    end: children.Ended, outcome: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = trial.Room(tmp_path / 'try')
    monkeypatch.setattr(trial.Room, 'run', lambda *_, **__: end)
    verdict = trial.attempt(trial.Plan('a change', [['fuse']], names=['a.pth']), room)
    assert verdict.outcome == outcome
    assert why in verdict.why


@pytest.mark.parametrize(
    ('words', 'name', 'status', 'why'),
    [
        (['fuse'], 'here/input', 0, 'changed what was there'),
        (['fuse'], 'here/.room', 0, 'left'),
        (['fuse'], 'here/unasked', 0, 'left'),
        (['fuse'], 'here/asked', 1, 'and left asked'),
        (['fuse'], 'tmp/x', 0, 'left elsewhere'),
        (['fuse'], 'x', 0, 'left elsewhere'),
        (['fuse', '--out', '..'], 'x', 0, ''),
        (['fuse', '--out', '..'], 'tmp/x', 0, 'left elsewhere'),
    ],
)
def test_what_a_command_leaves_or_changes_is_found(
    words: list[str], name: str, status: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = trial.Room(tmp_path / 'try')
    (room.here / 'input').write_text('mine')

    def run(*_: object, **__: object) -> children.Ended:
        (room.folder / name).write_text('other')
        return ended(status, 'error: x\n' if status else '')

    monkeypatch.setattr(trial.Room, 'run', run)
    verdict = trial.attempt(trial.Plan('a change', [words], outputs=['asked']), room)
    assert verdict.outcome == (trial.FAILED if why else trial.RIGHT)
    assert why in verdict.why


@pytest.mark.parametrize('number', range(20))
def test_a_refusal_may_name_the_class_of_a_picture_that_was_changed(number: int, tmp_path: Path) -> None:
    folder = tmp_path / 'train/square'
    folder.mkdir(parents=True)
    for name in ('a.jpg', 'b.png'):
        (folder / name).write_bytes(bytes([255]) * 100)
    assert 'square' in data._folder(tmp_path, Random(number))[1]


def test_a_refusal_may_name_the_weights_that_a_changed_key_does_not_fit() -> None:
    place = ('model', 'heads', 0, 'num_classes')
    assert configs.named_by(place, ['check', 'my.py']) == ['model', 'heads', 'num_classes']
    assert configs.named_by(place, ['fuse', 'my.py', 'best.pth'])[-1] == 'best.pth'


@pytest.mark.parametrize('number', range(12))
@pytest.mark.parametrize('name', ['a.jpg', 'b.png'])
def test_pictures_are_not_rewritten_as_texts(name: str, number: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bytes([255]) * 100)
    assert name in data._rewritten(tmp_path / name, Random(number))[1]


@pytest.mark.parametrize(
    ('found', 'wrong'),
    [
        ({'d': 'D1', 'd.html': 'H1', 'r.json': 'R1'}, ''),
        ({'d': 'D2', 'd.html': 'H2', 'r.json': 'R9'}, ''),  # a report has times in it
        ({'d': 'D2'}, ''),
        ({'d': 'D1'}, ''),
        ({'d': 'D2', 'r.json': 'R9'}, ''),
        ({}, 'd is gone'),
        ({'d.html': 'H1'}, 'd is gone'),
        ({'d': 'D2', 'd.html': 'H1'}, 'd is new and d.html is old'),
        ({'d': 'D1', 'd.html': 'H1', 'r.json': 'R9'}, 'r.json is new'),
        ({'d': 'D1', 'd.html': 'H1', 'r.json': 'half'}, 'r.json is half'),
    ],
    ids=str,
)
def test_after_a_kill_what_belongs_together_is_old_or_new(found: dict[str, str], wrong: str, tmp_path: Path) -> None:
    writer = writing.Writer((), (), (), ('d', 'd.html', 'r.json'))
    old, new = {'d': 'D1', 'd.html': 'H1', 'r.json': 'R1'}, {'d': 'D2', 'd.html': 'H2', 'r.json': 'R2'}
    (tmp_path / 'r.json').write_text('{' if found.get('r.json') == 'half' else '{}')
    said = writing._mixed(writer, found, old, new, tmp_path)
    assert wrong in said
    assert bool(said) == bool(wrong)
    assert writing._mixed(writer, old, {}, old, tmp_path) == ''


@pytest.mark.parametrize(
    ('found', 'mixed'),
    [
        ({}, False),
        ({'p/a': 'A1', 'p/b': 'B', 'p/c': 'C1'}, False),  # the old one
        ({'p/a': 'A2', 'p/b': 'B', 'p/c': 'C2'}, False),
        ({'p/a': 'A3', 'p/b': 'B', 'p/c': 'C3'}, False),  # a new one: two exports have different identifiers
        ({'p/a': 'A1', 'p/b': 'B', 'p/c': 'C2'}, True),
        ({'p/a': 'A3', 'p/b': 'B', 'p/c': 'C1'}, True),
        ({'p/a': 'A2', 'p/b': 'B'}, True),
    ],
    ids=str,
)
def test_a_folder_of_two_runs_or_half_of_one_is_told_from_a_whole_one(found: dict[str, str], mixed: bool) -> None:
    old, new = (
        {f'p/{name}': digest for name, digest in zip('abc', ('A' + n, 'B', 'C' + n), strict=True)} for n in '12'
    )
    assert writing._in_part(found, old, new) == mixed
    assert not writing._in_part(new, {}, new)


def test_a_child_is_stopped_when_its_time_is_up_and_its_output_is_kept(tmp_path: Path) -> None:
    (tmp_path / 'log').mkdir()

    def hang() -> None:
        os.write(1, b'begun\n')  # pytest has taken what print() writes to
        time.sleep(60)

    late = children.run(hang, tmp_path, tmp_path / 'log', seconds=0.3)
    assert (late.late, late.out) == (True, 'begun\n')
    assert children.run(lambda: 3, tmp_path, tmp_path / 'log', seconds=30).status == 3


def test_the_same_seed_does_the_same_damage_and_always_some() -> None:
    data = bytes(range(256)) * 8
    changed = [damage.damaged(data, Random(f'0 {number}')) for number in range(50)]
    assert changed == [damage.damaged(data, Random(f'0 {number}')) for number in range(50)]
    assert all(one != data for _, one in changed)
    assert {what for what, _ in changed} == set(damage.BYTES)


def test_a_field_somewhere_in_a_message_is_changed() -> None:
    onnx = pytest.importorskip('onnx')
    node = onnx.helper.make_node('Conv', ['a'], ['b'], kernel_shape=[3, 3])
    info = onnx.helper.make_tensor_value_info('a', onnx.TensorProto.FLOAT, [1, 2])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], 'graph', [info], []))
    before, ways = model.SerializeToString(), set()
    for number in range(100):
        copy = onnx.ModelProto.FromString(before)
        ways.add(exported.changed_field(copy, Random(number)).partition(':')[0])
        assert copy.SerializeToString() != before
    assert len(ways) > 8
