"""The export graph against mmpretrain's own prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.inputs import picture_of
from mobileone_mm.openmmlab.test_data import open_samples, read_sample
from mobileone_mm.pictures.reading import middle
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.classification.compare import compare, reference
from mobileone_mm.tasks.classification.framing import samples_for
from mobileone_mm.tasks.classification.graph import LOGITS, PROBABILITIES, require_classifier
from mobileone_mm.tasks.classification.options import FramedOptions
from mobileone_mm.tasks.task import run_graph
from tiny_classifier import CLASSES, SHORT, SIDE, card_of, graph_of, model_of, new_classifier, write_config

TOLERANCE = 1e-5  # of the largest logit; fusing and the preprocessor round to float32
SIZE = (SHORT, SHORT)
PICTURE = drawn_picture(SIZE)


@pytest.mark.parametrize('changes', [{}, {'to_rgb': False}, {'head': 'topk=(1, 5)'}], ids=str)
def test_it_gives_what_mmpretrain_predicts_for_its_own_pipelines_pictures(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    files = new_classifier(tmp_path, **changes)
    model, graph = model_of(files).double(), graph_of(files).double()
    samples = open_samples(configs.load_config(files[0]))
    wide = samples_for(samples, card_of(SHORT, SIDE))
    assert wide is not None
    chosen = set()
    for index in range(samples.count):
        item = read_sample(samples, index)
        inputs = model.data_preprocessor({'inputs': [item['inputs']], 'data_samples': [item['data_samples']]})['inputs']
        with torch.no_grad():
            (expected,) = model.predict(inputs.double())
            logits = model(inputs.double()).numpy()
        outputs = run_graph(graph, picture_of(read_sample(wide, index)['inputs']))
        assert outputs[LOGITS].shape == outputs[PROBABILITIES].shape == (1, len(CLASSES))
        assert np.abs(outputs[LOGITS] - logits).max() <= TOLERANCE * np.abs(logits).max()
        assert np.abs(outputs[PROBABILITIES][0] - expected.pred_score.numpy()).max() <= TOLERANCE
        assert int(outputs[PROBABILITIES].argmax()) == int(expected.pred_label)
        chosen.add(int(expected.pred_label))
    assert len(chosen) > 1, 'pictures of one class tell nothing'


@pytest.mark.parametrize('seen', [SIDE, SIDE + 1, None])
def test_the_reference_sees_as_much_as_the_graph(seen: int | None, classifier: tuple[Path, Path]) -> None:
    expected = reference(model_of(classifier).double(), PICTURE, FramedOptions(seen=seen))
    found = run_graph(graph_of(classifier, seen=seen).double(), PICTURE)
    assert all(rung.holds for rung in compare('x', [(expected, found)], SIZE, 'float32'))


def test_what_is_outside_of_the_crop_changes_nothing(classifier: tuple[Path, Path]) -> None:
    other = np.zeros_like(PICTURE)
    place = middle(SIZE, (SIDE, SIDE))
    other[place] = PICTURE[place]
    graph = graph_of(classifier)
    assert np.array_equal(run_graph(graph, PICTURE)[LOGITS], run_graph(graph, other)[LOGITS])
    whole = graph_of(classifier, seen=None)
    assert not np.array_equal(run_graph(whole, PICTURE)[LOGITS], run_graph(whole, other)[LOGITS])


@pytest.mark.parametrize(
    ('old', 'head'),
    [
        ("type='LinearClsHead'", 'MultiLabelLinearClsHead'),
        ("type='LinearClsHead', num_classes=6, in_channels=64,", 'ClsHead'),
    ],
)
def test_another_head_is_refused(old: str, head: str, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, f'type={head!r},' if old.endswith(',') else f'type={head!r}'))
    with pytest.raises(ConfigError, match=f'ImageClassifier with the head {head} given, expected an ImageClassifier'):
        require_classifier(configs.build_model(configs.load_config(config)))


def test_a_model_that_is_no_classifier_is_refused(classifier: tuple[Path, Path]) -> None:
    model = model_of(classifier)
    require_classifier(model)
    with pytest.raises(ConfigError, match=r'^MobileOne given, expected an ImageClassifier'):
        require_classifier(model.backbone)
