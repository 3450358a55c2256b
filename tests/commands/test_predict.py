"""`mobileone predict` as typed, on the tiny SSD."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobileone_mm import cli
from mobileone_mm.commands.predict import main
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.pictures.reading import read_picture, stretched, write_picture
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.targets.artifact import open_artifact
from mobileone_mm.tasks.detection import rows
from mobileone_mm.tasks.detection.detections import (
    MOST_BOXES,
    SHOWN_SCORE,
    Detections,
    Rules,
    decode,
    predict,
    rules_of,
)
from programs import change_spec
from tiny_detector import CLASSES, SIZE

SCORE = 6e-5  # half of the last digit that is written, and what fusing rounds


def call(*words: object) -> int:
    return cli.run(main, [str(word) for word in words])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / 'photos'
    folder.mkdir()
    for index, size in enumerate([(200, 150), (90, 120)]):
        write_picture(folder / f'{index}.png', drawn_picture(size))
    return folder


def listed(out: Path) -> Any:
    return json.loads((out / 'predictions.json').read_text())


def require_same(entries: list[dict[str, Any]], found: Detections, size: tuple[int, int]) -> None:
    assert [entry['label'] for entry in entries] == [CLASSES[label] for label in found.labels]
    np.testing.assert_allclose([entry['score'] for entry in entries], found.scores, rtol=0, atol=SCORE)
    boxes = np.array([entry['box'] for entry in entries]).reshape(-1, 4)
    np.testing.assert_allclose(boxes, found.boxes * (*size, *size), rtol=0, atol=5.1e-3)


def test_a_package_by_its_own_thresholds(
    exported: Report, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    assert call(exported.artifact, photos, '--out', out) == 0
    assert sorted(file.name for file in out.iterdir()) == ['.mobileone_mm', '0.jpg', '1.jpg', 'predictions.json']
    written = listed(out)
    assert (written['score_threshold'], written['iou_threshold']) == (0.25, 0.45)
    artifact = open_artifact(exported.artifact)
    boxes = 0
    for entry in written['pictures']:
        picture = stretched(read_picture(entry['file']), SIZE)
        found = predict(artifact.saved.runner, picture, Rules(0.25, 0.45, MOST_BOXES))
        require_same(entry['detections'], found, (entry['width'], entry['height']))
        boxes += len(found.scores)
    assert boxes > 5
    stdout, stderr = capsys.readouterr()
    assert stderr == ''
    assert re.match(rf'pictures: 2, boxes: {boxes} \((circle|square|triangle) \d+', stdout)
    assert stdout.splitlines()[-1] == f'next, with yours: {cli.command("evaluate", exported.artifact, "CONFIG")}'


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_an_onnx_file_beside_its_checkpoint(
    form: str,
    onnx_files: dict[str, Path],
    detector: tuple[Path, Path],
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(onnx_files[form], photos, '--out', tmp_path / 'out', '--compare', *detector) == 0
    out, err = capsys.readouterr()
    assert err == ''
    boxes = int(re.match(r'pictures: 2, boxes: (\d+)', out)[1])  # type: ignore[index]
    assert boxes > 5
    assert f'all {boxes} boxes agree; ' in out
    written = listed(tmp_path / 'out')
    assert (written['score_threshold'], written['iou_threshold']) == (0.25, 0.45)


def test_a_checkpoint_by_its_configs_rules_and_by_those_asked_for(
    detector: tuple[Path, Path], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configs.load_config(detector[0])
    model, _ = open_model(config, detector[1])
    default = rules_of(config)
    for flags, rules in (
        ([], Rules(SHOWN_SCORE, default.iou_threshold, default.limit)),
        (['--score-threshold', '0.6', '--iou-threshold', '0.1'], Rules(0.6, 0.1, default.limit)),
    ):
        assert call(*detector, photos / '0.png', '--out', tmp_path / 'out', *flags) == 0
        (entry,) = listed(tmp_path / 'out')['pictures']
        found = decode(rows.reference(model, stretched(read_picture(photos / '0.png'), SIZE)), rules)
        require_same(entry['detections'], found, (200, 150))
        assert len(found.scores) > 0
    assert capsys.readouterr().err == ''


def test_a_package_beside_its_checkpoint(
    detector: tuple[Path, Path],
    exported: Report,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(exported.artifact, f'{photos}/*.png', '--out', tmp_path / 'out', '--compare', *detector) == 0
    stdout = capsys.readouterr().out
    assert stdout.splitlines()[-1] == f'next: {cli.command("evaluate", exported.artifact, detector[0])}'
    boxes = int(re.match(r'pictures: 2, boxes: (\d+)', stdout)[1])  # type: ignore[index]
    agreed = re.search(rf'^all {boxes} boxes agree; largest difference (\S+) in score, (\S+) px$', stdout, re.MULTILINE)
    assert agreed is not None
    limits = rows.LIMITS['float16']
    assert float(agreed[1]) < limits.score
    assert float(agreed[2]) < limits.box * 200 / SIZE[0]  # in px of the larger picture
    written = listed(tmp_path / 'out')
    assert (written['detector'], written['compared_with']) == (str(exported.artifact), str(detector[1]))
    assert all(len(entry['compared']) == len(entry['detections']) for entry in written['pictures'])


def test_without_an_out_it_is_a_folder_here_named_after_what_predicts(
    detector: tuple[Path, Path],
    exported: Report,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photos.parent)
    for words, name in (([exported.artifact], 'tiny_predictions'), (detector, 'best_predictions')):
        assert call(*words, 'photos/0.png') == 0
        assert f'pictures and their list: {name}\n' in capsys.readouterr().out
        assert {path.name for path in Path(name).iterdir()} == {'.mobileone_mm', '0.jpg', 'predictions.json'}
    assert {path.name for path in Path().iterdir()} == {'photos', 'tiny_predictions', 'best_predictions'}


@pytest.mark.parametrize(
    ('words', 'status', 'message'),
    [
        (['photos', '--out', 'out'], 2, r'photos: expected \.mlpackage.*CONFIG\.py CHECKPOINT\.pth first'),
        (['PACKAGE', '--out', 'out'], 2, 'no pictures given'),
        (['CONFIG', 'CHECKPOINT', '--out', 'out'], 2, 'no pictures given'),
        (['CONFIG', 'photos', 'photos', '--out', 'out'], 2, 'photos is a folder, expected a checkpoint: '),
        (['PACKAGE', 'photos', '--out', 'photos'], 2, 'photos: holds photos/0.png, which is read.*'),
        (['PACKAGE', 'photos', '--out', 'out', '--score-threshold', '30'], 2, '--score-threshold: 30 given, .*'),
        (['PACKAGE', 'photos', '--out', 'out', '--iou-threshold', '-1'], 2, '--iou-threshold: -1 given, .*'),
        (
            ['PACKAGE', 'photos', '--out', 'out', '--compare', 'CHECKPOINT', 'photos'],
            2,
            r'best\.pth photos: expected ',
        ),
        (['PACKAGE', 'none/*', '--out', 'out'], 1, r'none/\*: no such file or folder'),
        (['PACKAGE', 'photos', '--out', 'out', '--compare', 'CONFIG', 'none.pth'], 1, r'none\.pth.*'),
    ],
)
def test_what_is_refused_is_one_line_and_writes_nothing(
    words: list[str],
    status: int,
    message: str,
    detector: tuple[Path, Path],
    exported: Report,
    photos: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(photos.parent)
    paths = {'PACKAGE': exported.artifact, 'CONFIG': detector[0], 'CHECKPOINT': detector[1]}
    assert call(*(paths.get(word, word) for word in words)) == status
    stdout, stderr = capsys.readouterr()
    assert re.search(message, stderr), stderr
    assert (stdout, stderr.count('\n'), stderr[:7]) == ('', 1, 'error: ')
    assert not Path('out').exists()


def test_the_config_that_a_package_names_is_neither_executed_nor_named(
    detector: tuple[Path, Path],
    exported: Report,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trap, sprung = tmp_path / 'trap.py', tmp_path / 'sprung'
    trap.write_text(f"open({str(sprung)!r}, 'w').close()\n{detector[0].read_text()}")
    foreign = shutil.copytree(exported.artifact, tmp_path / 'foreign.mlpackage')
    said = {'mobileone_mm.config': json.dumps(str(trap))}
    change_spec(foreign, lambda spec: spec.description.metadata.userDefined.update(said))

    assert call(foreign, photos, '--out', tmp_path / 'out', '--compare', detector[1]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert re.search(rf'{detector[1]}: its config is missing, .*give both: CONFIG\.py {detector[1]}', err)
    assert call(foreign, photos, '--out', tmp_path / 'out') == 0
    assert 'trap.py' not in capsys.readouterr().out
    assert not sprung.exists()


def test_a_checkpoint_beside_another_has_the_config_that_the_user_gave(
    detector: tuple[Path, Path], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*detector, photos, '--out', tmp_path / 'out', '--compare', detector[1]) == 0
    assert re.search(r'all \d+ boxes agree; largest difference 0 in score, 0 px', capsys.readouterr().out)
