"""The export graph against mmseg's own prediction."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobileone_mm.errors import ConfigError, UsageError
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.inputs import preprocessed
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.segmentation.graph import CLASS_MAP, LOGITS, SegmenterGraph, require_encoder_decoder
from mobileone_mm.tasks.segmentation.maps import compare, reference
from mobileone_mm.tasks.segmentation.options import SegmentationOptions
from mobileone_mm.tasks.task import run_graph
from tiny_segmenter import CLASSES, SIZE, graph_of, model_of, new_segmenter, write_config

TOLERANCE = 1e-6  # of the largest logit, in float64; fusing in float32 rounds as much
PICTURE = drawn_picture(SIZE)


@pytest.mark.parametrize('changes', [{}, {'align_corners': True}, {'output_stride': 8}, {'to_rgb': False}], ids=str)
def test_logits_and_classes_are_those_of_mmseg(changes: dict[str, Any], tmp_path: Path) -> None:
    files = new_segmenter(tmp_path, **changes)
    model = model_of(files).double()
    with torch.no_grad():
        inputs = preprocessed(model, PICTURE)
        expected = model.encode_decode(inputs, [{'img_shape': inputs.shape[2:]}]).numpy()
    outputs = run_graph(graph_of(files).double(), PICTURE)
    assert outputs[LOGITS].shape == (1, len(CLASSES), SIZE[1], SIZE[0])
    assert np.abs(outputs[LOGITS] - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert outputs[CLASS_MAP].dtype == np.int32
    assert np.array_equal(outputs[CLASS_MAP], expected[0].argmax(axis=0))
    assert len(np.unique(outputs[CLASS_MAP])) > 1, 'a map of one class tells nothing'


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_a_coarser_map_is_chosen_on_its_grid_and_its_squares_are_of_one_class(
    stride: int, segmenter: tuple[Path, Path]
) -> None:
    options = SegmentationOptions(map_stride=stride)
    outputs = run_graph(graph_of(segmenter, map_stride=stride).double(), PICTURE)
    expected = reference(model_of(segmenter).double(), PICTURE, options)
    width, height = SIZE
    assert outputs[LOGITS].shape == (1, len(CLASSES), height // stride, width // stride)
    assert outputs[CLASS_MAP].shape == (height, width)
    squares = outputs[CLASS_MAP].reshape(height // stride, stride, width // stride, stride)
    assert (squares == squares[:, :1, :, :1]).all()
    assert np.array_equal(squares[:, 0, :, 0], outputs[LOGITS][0].argmax(axis=0))
    logits, pixels = compare('x', [(expected, outputs)], SIZE, 'float32')
    assert logits.value is not None
    assert logits.value <= TOLERANCE
    assert pixels.value == 0


def test_the_auxiliary_head_is_left_out(segmenter: tuple[Path, Path]) -> None:
    graph = graph_of(segmenter)
    assert not [name for name, _ in graph.named_parameters() if 'auxiliary' in name]
    assert model_of(segmenter).auxiliary_head is not None


@pytest.mark.parametrize(
    ('options', 'size', 'message'),
    [
        ({'map_stride': 8}, (96, 60), r'`map_stride` 8: does not divide the input size 96x60'),
        ({'map_stride': 3}, SIZE, r'`map_stride`: 3 given, expected one of 1, 2, 4, 8'),
        ({'map': 'mask'}, SIZE, r"`map`: 'mask' given, expected one of array, image"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, Any], size: tuple[int, int], message: str, segmenter: tuple[Path, Path]
) -> None:
    with pytest.raises(UsageError, match=message):
        SegmenterGraph(model_of(segmenter), size, SegmentationOptions(**options))


def test_a_map_coarser_than_the_logits_is_refused(tmp_path: Path) -> None:
    files = new_segmenter(tmp_path, output_stride=8)
    graph_of(files, map_stride=8)  # the same grid
    model = model_of(files)
    model.decode_head.in_index = 0  # as a head that reads a finer map
    model.decode_head.forward = lambda features: features[0].repeat_interleave(4, -1).repeat_interleave(4, -2)
    with pytest.raises(UsageError, match=r'`map_stride` 8: gives a grid of 12x8, the model has logits for'):
        SegmenterGraph(model, SIZE, SegmentationOptions(map_stride=8))


def test_the_default_stride_follows_the_number_of_classes() -> None:
    assert [SegmentationOptions().stride_for(count) for count in (2, 31, 32, 150)] == [1, 1, 4, 4]
    assert SegmentationOptions(map_stride=2).stride_for(150) == 2


def test_a_picture_holds_256_classes() -> None:
    options = SegmentationOptions(map='image')
    options.require(256, SIZE)
    with pytest.raises(UsageError, match=r'tells 256 classes apart, the model has 257; `map` array holds any'):
        options.require(257, SIZE)


def test_a_model_that_is_tested_by_sliding_a_window_is_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    text = config.read_text().replace("mode='whole'", "mode='slide', crop_size=(32, 32), stride=(16, 16)")
    config.write_text(text)
    with pytest.raises(ConfigError, match=r"test_cfg has mode='slide', expected 'whole'"):
        require_encoder_decoder(configs.build_model(configs.load_config(config)))


def test_a_head_with_one_output_for_two_classes_is_refused(segmenter: tuple[Path, Path]) -> None:
    model = model_of(segmenter)
    require_encoder_decoder(model)
    model.decode_head.num_classes, model.decode_head.out_channels = 2, 1  # as mmseg makes it for a sigmoid
    with pytest.raises(ConfigError, match=r'ASPPHead has out_channels=1 for 2 classes, expected one a class'):
        require_encoder_decoder(model)
