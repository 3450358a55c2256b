"""Classes written on pictures, alone and beside the trained model's, and the whole way as typed."""

import json
from pathlib import Path

import numpy as np
import pytest

from mobileone_mm import cli
from mobileone_mm.commands import evaluate, export, predict, verify
from mobileone_mm.evaluation.candidates import of_model
from mobileone_mm.evaluation.scoring import open_session
from mobileone_mm.exporter.report import Report
from mobileone_mm.openmmlab.configs import load_config
from mobileone_mm.openmmlab.test_data import read_sample
from mobileone_mm.outputs import page_of
from mobileone_mm.pictures.reading import read_picture
from mobileone_mm.prediction.predictors import open_predictor
from mobileone_mm.targets.artifact import open_artifact
from tiny_classifier import CLASSES, PICTURES, SHORT, SIDE, export_classifier, model_of, new_classifier


def test_pictures_and_their_list(
    classifier: tuple[Path, Path], classifier_package: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = classifier[0].parent / 'pictures' / CLASSES[0]
    words = [str(classifier_package.artifact), str(photos), '--out', str(tmp_path / 'out')]
    assert cli.run(predict.main, [*words, '--compare', *map(str, classifier)]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    count = PICTURES // len(CLASSES)
    assert first.startswith(f'pictures: {count}, classes: ')
    assert second.startswith(f'left and right give all {count} pictures the same class')
    found = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert found['classifier'] == str(classifier_package.artifact)
    assert found['agreement']['agreeing'] == found['agreement']['pictures'] == count
    for entry in found['pictures']:
        assert len(entry['classes']) == 5
        assert {one['label'] for one in entry['classes']} <= set(CLASSES)
        shares = [one['probability'] for one in entry['classes']]
        assert shares == sorted(shares, reverse=True)
        for one, other in zip(entry['classes'], entry['compared'], strict=True):
            assert one['probability'] == pytest.approx(other['probability'], abs=0.01)
        assert (tmp_path / 'out' / entry['picture']).is_file()


def test_thresholds_are_refused(classifier_package: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'a.png').touch()
    words = [str(classifier_package.artifact), str(tmp_path / 'a.png'), '--score-threshold', '0.5']
    assert cli.run(predict.main, words) == 2
    assert 'for detectors, a classifier given; leave it out' in capsys.readouterr().err


@pytest.mark.parametrize('ending', ['.mlpackage', '.onnx'])
def test_the_whole_way_as_typed(
    ending: str, classifier: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f'cls{ending}'
    words = [*map(str, classifier), '--out', str(out), '--crop-inside', 'yes', '--evaluate']
    assert cli.run(export.main, words) == 0
    said = capsys.readouterr().out
    assert said.startswith('Same as the model you trained: yes')
    assert f'{SHORT}x{SHORT} px, 6 classes' in ' '.join(said.split())
    assert max(map(len, [line for line in said.splitlines() if str(tmp_path) not in line])) <= 80
    page = page_of(out).read_text()
    for text in ('centerCrop: cropped to the middle', '64x64 px', 'what the model sees', 'ground truth', *CLASSES):
        assert text in page, text
    assert (
        cli.run(verify.main, [str(out), '--image', str(next((classifier[0].parent / 'pictures/cat').iterdir()))]) == 0
    )
    assert f'sound; classification, 6 classes, {SHORT}x{SHORT} px' in capsys.readouterr().out
    report = tmp_path / 'scores.json'
    words = [str(out), str(classifier[0]), '--checkpoint', str(classifier[1]), '--report', str(report)]
    assert cli.run(evaluate.main, words) == 0
    assert 'top1' in capsys.readouterr().out
    scores = json.loads(report.read_text())
    assert scores['main_metric'] == 'accuracy/top1'
    assert scores['percent'] is True
    model, file = (row['metrics'] for row in scores['rows'])
    assert file == pytest.approx(model)


def test_a_plain_export_is_scored_on_what_it_takes(
    classifier: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'cls.onnx'
    words = [*map(str, classifier), '--out', str(out), '--crop-inside', 'no', '--evaluate', '--limit', '4']
    assert cli.run(export.main, words) == 0
    assert '4 of 12 pictures' in capsys.readouterr().out


def test_names_come_from_the_folders_else_from_the_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alphabetic = tuple(sorted(CLASSES))
    files = new_classifier(tmp_path, classes=alphabetic, metainfo='')
    assert cli.run(export.main, [*map(str, files), '--out', str(tmp_path / 'a.onnx'), '--evaluate']) == 0
    (tmp_path / 'pictures').rename(tmp_path / 'elsewhere')
    assert cli.run(export.main, [*map(str, files), '--out', str(tmp_path / 'b.onnx')]) == 0
    for name in 'ab':
        assert open_artifact(tmp_path / f'{name}.onnx').card.classes == alphabetic


def test_predict_sees_what_evaluate_sees(tmp_path: Path) -> None:
    """The config's own interpolation, for the checkpoint and, by its card, for what was exported of it."""
    resize = f"{{'type': 'ResizeEdge', 'scale': {SHORT}, 'backend': 'pillow', 'interpolation': 'bicubic'}}"
    files = new_classifier(tmp_path, pipeline=f"{resize}, dict(type='CenterCrop', crop_size={SIDE})")
    report = export_classifier(files, tmp_path / 'cls.onnx')
    assert report.info.settings['resize'] == {'backend': 'pillow', 'interpolation': 'bicubic'}
    session = open_session(load_config(files[0]))
    (own,) = of_model(session, model_of(files), 'model')
    predictors = [open_predictor([str(file) for file in given]) for given in (files, [report.artifact])]
    for index in range(3):
        picture = read_picture(session.samples.dataset.get_data_info(index)['img_path'])
        expected = own.predict(read_sample(session.samples, index)).pred_score.numpy()
        for predictor in predictors:
            found = predictor.predict(picture, predictor.rules).probabilities
            np.testing.assert_allclose(found, expected, atol=1e-4)  # a picture resized otherwise: 0.01 and more
        named = open_artifact(report.artifact).classify(picture)
        np.testing.assert_allclose([named[name] for name in CLASSES], expected, atol=1e-4)
