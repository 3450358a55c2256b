"""`tools/predict.py` as typed, on the tiny SSD."""

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mobileone_mm import cli
from mobileone_mm.errors import CheckpointError
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.pictures.reading import drawn_picture, read_picture
from mobileone_mm.prediction.predictors import MOST_BOXES, SHOWN_SCORE, open_finder
from mobileone_mm.targets.coreml.package import open_package
from mobileone_mm.targets.opening import open_artifact
from mobileone_mm.tasks.detection.detections import Detections, Rules, of_artifact, of_model, rules_of

CLASSES = ('circle', 'square', 'triangle')  # of the tiny SSD
SIZE = (96, 64)  # width, height of its input
TOOL = Path(__file__).parents[2] / 'tools/predict.py'

Call = Callable[..., int]


@pytest.fixture(scope='module')
def call() -> Call:
    main = runpy.run_path(str(TOOL))['main']
    return lambda *arguments: cli.run(main, [str(argument) for argument in arguments])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / 'photos'
    folder.mkdir()
    for index, size in enumerate([(200, 150), (90, 120)]):
        assert cv2.imwrite(str(folder / f'{index}.png'), drawn_picture(size))
    return folder


def listed(out: Path) -> Any:
    return json.loads((out / 'predictions.json').read_text())


def require_same(entries: list[dict[str, Any]], found: Detections, size: tuple[int, int]) -> None:
    assert [entry['label'] for entry in entries] == [CLASSES[label] for label in found.labels]
    np.testing.assert_allclose([entry['score'] for entry in entries], found.scores, rtol=0, atol=5.1e-5)
    boxes = np.array([entry['box'] for entry in entries]).reshape(-1, 4)
    np.testing.assert_allclose(boxes, found.boxes * (*size, *size), rtol=0, atol=5.1e-3)


def test_a_package_by_its_own_thresholds(
    exported: Report, photos: Path, tmp_path: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    assert call(exported.artifact, photos, '--out', out) == 0
    assert sorted(file.name for file in out.iterdir()) == ['.mobileone_mm', '0.jpg', '1.jpg', 'predictions.json']
    written = listed(out)
    assert (written['score_threshold'], written['iou_threshold']) == (0.25, 0.45)
    artifact = open_artifact(exported.artifact)
    boxes = 0
    for entry in written['pictures']:
        found = of_artifact(artifact, read_picture(entry['file'], SIZE), Rules(0.25, 0.45, MOST_BOXES))
        require_same(entry['detections'], found, (entry['width'], entry['height']))
        boxes += len(found.scores)
    assert boxes > 5
    stdout, stderr = capsys.readouterr()
    assert stderr == ''
    assert re.match(rf'pictures: 2, boxes: {boxes} \((circle|square|triangle) \d+', stdout)
    assert stdout.splitlines()[-1] == f'next: python tools/evaluate.py {exported.artifact} CONFIG'


@pytest.mark.parametrize('form', ['raw', 'nms'])
def test_an_onnx_file_beside_its_checkpoint(
    form: str,
    onnx_files: dict[str, Path],
    detector: tuple[Path, Path],
    photos: Path,
    tmp_path: Path,
    call: Call,
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
    detector: tuple[Path, Path], photos: Path, tmp_path: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configs.load_config(detector[0])
    model, _ = open_model.open_model(config, detector[1])
    default = rules_of(config)
    for flags, rules in (
        ([], Rules(SHOWN_SCORE, default.iou_threshold, default.limit)),
        (['--score-threshold', '0.6', '--iou-threshold', '0.1'], Rules(0.6, 0.1, default.limit)),
    ):
        assert call(*detector, photos / '0.png', '--out', tmp_path / 'out', *flags) == 0
        (entry,) = listed(tmp_path / 'out')['pictures']
        found = of_model(model, read_picture(photos / '0.png', SIZE), rules)
        require_same(entry['detections'], found, (200, 150))
        assert len(found.scores) > 0
    assert capsys.readouterr().err == ''


def test_a_package_beside_its_checkpoint(
    detector: tuple[Path, Path],
    exported: Report,
    photos: Path,
    tmp_path: Path,
    call: Call,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(exported.artifact, f'{photos}/*.png', '--out', tmp_path / 'out', '--compare', *detector) == 0
    stdout = capsys.readouterr().out
    assert stdout.splitlines()[-1] == f'next: python tools/evaluate.py {exported.artifact} {detector[0]}'
    boxes = int(re.match(r'pictures: 2, boxes: (\d+)', stdout)[1])  # type: ignore[index]
    assert f'all {boxes} boxes agree; largest difference 0.00' in stdout
    written = listed(tmp_path / 'out')
    assert (written['detector'], written['compared_with']) == (str(exported.artifact), str(detector[1]))
    assert all(len(entry['compared']) == len(entry['detections']) for entry in written['pictures'])


def test_help_opens_with_an_example(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match='0'):
        call('--help')
    assert capsys.readouterr().out.startswith('example: python tools/predict.py ')


@pytest.mark.parametrize(
    ('words', 'status', 'message'),
    [
        (['photos', '--out', 'out'], 2, r'photos: expected \.mlpackage.*CONFIG\.py CHECKPOINT\.pth first'),
        (['PACKAGE', '--out', 'out'], 2, 'no pictures given'),
        (['CONFIG', 'photos', '--out', 'out'], 2, 'no pictures given'),
        (['CONFIG', 'photos', 'photos', '--out', 'out'], 2, r'photos: expected .*CHECKPOINT\.pth'),
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
    call: Call,
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
    call: Call,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trap, sprung = tmp_path / 'trap.py', tmp_path / 'sprung'
    trap.write_text(f"open({str(sprung)!r}, 'w').close()\n{detector[0].read_text()}")
    foreign = shutil.copytree(exported.artifact, tmp_path / 'foreign.mlpackage')
    package = open_package(foreign)
    package.spec.description.metadata.userDefined['mobileone_mm.config'] = json.dumps(str(trap))
    (model,) = foreign.rglob('*.mlmodel')
    model.write_bytes(package.spec.SerializeToString())

    assert call(foreign, photos, '--out', tmp_path / 'out', '--compare', detector[1]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count('\n')) == ('', 1)
    assert re.search(rf'{detector[1]}: its config is missing, .*give both: CONFIG\.py {detector[1]}', err)
    assert call(foreign, photos, '--out', tmp_path / 'out') == 0
    assert 'trap.py' not in capsys.readouterr().out
    assert not sprung.exists()


def test_a_checkpoint_beside_another_has_the_config_that_the_user_gave(
    detector: tuple[Path, Path], photos: Path, tmp_path: Path, call: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*detector, photos, '--out', tmp_path / 'out', '--compare', detector[1]) == 0
    assert re.search(r'all \d+ boxes agree; largest difference 0 in score, 0 px', capsys.readouterr().out)


def test_a_checkpoint_of_other_classes_is_refused(
    detector: tuple[Path, Path], make_detector: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    config, _ = make_detector(tmp_path, classes=('circle', 'square', 'star'))
    with pytest.raises(CheckpointError, match=r"trained on the classes \('circle', 'square', 'triangle'\), .* names"):
        open_finder([str(config), str(detector[1])])
