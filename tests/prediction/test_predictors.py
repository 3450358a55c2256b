"""What predicts, opened by what a user types."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mobileone_mm.errors import CheckpointError, UsageError
from mobileone_mm.exporter.report import Report
from mobileone_mm.prediction.predictors import open_predictor
from tiny_detector import CLASSES


def test_an_artifact_has_no_config_and_a_checkpoint_has_the_one_given(
    exported: Report, detector: tuple[Path, Path]
) -> None:
    config, weights = map(str, detector)
    artifact, model = open_predictor([str(exported.artifact)]), open_predictor([config, weights])
    assert (artifact.path, artifact.config, artifact.classes) == (str(exported.artifact), None, CLASSES)
    assert (model.path, model.config, model.classes) == (weights, config, CLASSES)
    assert artifact.task == model.task


def test_a_checkpoint_of_other_classes_is_refused(
    detector: tuple[Path, Path], make_detector: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    config, _ = make_detector(tmp_path, classes=('circle', 'square', 'star'))
    with pytest.raises(CheckpointError, match=r"trained on the classes \('circle', 'square', 'triangle'\), .* names"):
        open_predictor([str(config), str(detector[1])])


@pytest.mark.parametrize('words', [['best.pth', 'a.py'], ['a.py'], ['best.pth'], ['a.mlpackage', 'b.onnx'], []])
def test_other_words_are_wrong_usage(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r'expected \.mlpackage or \.onnx, or CONFIG\.py CHECKPOINT\.pth'):
        open_predictor(words)
