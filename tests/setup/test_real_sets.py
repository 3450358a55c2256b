"""What is written for real sets: blood cells, scenes of COCO and CamVid, flowers."""

import logging
from pathlib import Path

import pytest
import torch

from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.test_data import open_dataset
from mobileone_mm.setup.by_layout import propose
from mobileone_mm.setup.proposal import Proposal, Wishes
from mobileone_mm.setup.reach import Reach, reach_of

BENCHMARK = Path(__file__).parents[2] / 'benchmarks/bccd.py'
BOTH_ROUND = 0.01  # anchors in a config are whole px, and so are those that shares were said of: no more than one box


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(real_data: Path, name: str) -> Proposal:
    proposal = propose(str(real_data / 'data' / name), Wishes())
    Path('own.py').write_text(proposal.text)
    return proposal


def reached() -> Reach:
    """What the config's own model reaches in the data that it trains on."""
    config = configs.load_config('own.py')
    config.train_dataloader.dataset.check = False
    found = reach_of(configs.build_model(config), open_dataset(config, 'train_dataloader', logging.ERROR))
    assert found is not None
    return found


def test_blood_cells_of_which_the_smallest_are_reached(real_data: Path) -> None:
    proposal = written(real_data, 'bccd_voc')
    assert proposal.found[:2] == (
        'boxes in VOC format: 140 training pictures, 60 for validation; 640 x 480 px',
        '1,897 boxes: Platelets 160, RBC 1,590, WBC 147',
    )
    config = configs.load_config('own.py')
    assert tuple(config.model.backbone.out_indices) == (1, 2, 3)
    assert [step.type for step in config.train_pipeline if step.type == 'Expand'] == []
    (flip,) = (step for step in config.train_pipeline if step.type == 'RandomFlip')
    assert list(flip.direction) == ['horizontal', 'vertical', 'diagonal']
    found = reached()
    assert found.classes == ('Platelets', 'RBC', 'WBC')
    assert min(found.shares) > 0.97
    assert proposal.chosen[0].endswith('over 99 % of the boxes: Platelets 98 %, WBC 99 %, RBC over 99 %')


def test_the_benchmark_of_blood_cells_has_the_config_that_is_written_for_them(real_data: Path) -> None:
    def chosen(text: str) -> str:
        return text.partition('# --- chosen')[2].partition('\n# --- besides')[0].strip()

    proposal = written(real_data, 'bccd_voc')
    assert chosen(BENCHMARK.read_text(encoding='utf-8')) == chosen(proposal.text) != ''


def test_scenes_whose_smallest_boxes_no_anchor_reaches(real_data: Path) -> None:
    proposal = written(real_data, 'coco_small')
    assert tuple(configs.load_config('own.py').model.backbone.out_indices) == (1, 2, 3)
    found = reached()
    assert len(found.classes) == 80
    assert 0.65 < found.share < 0.8
    assert 'With --input-size 512, anchors reach 78 % of the boxes instead of 71 %' in proposal.text
    assert found.share == pytest.approx(0.71, abs=BOTH_ROUND)


def test_masks_and_class_folders(real_data: Path) -> None:
    proposal = written(real_data, 'camvid_small')
    config = configs.load_config('own.py')
    assert proposal.found[0] == 'pictures and masks: 92 training pictures, 34 for validation; 480 x 360 px'
    assert (config.ignore_index, tuple(config.input_size)) == (11, (480, 352))
    assert config.classes[-1] == 'bicyclist'

    proposal = written(real_data, 'flowers5')
    config = configs.load_config('own.py')
    assert proposal.found[1] == '5 classes: daisy 80, dandelion 80, roses 80, sunflowers 80, tulips 80'
    assert config.train_dataloader.dataset.data_prefix.img_path == 'train'
    assert (config.input_size, config.train_size, config.train_cfg.max_epochs) == (288, 224, 30)
    with torch.device('meta'):
        configs.build_model(config)
