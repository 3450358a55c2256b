"""A set that fills no batch is refused before mmengine divides by its number of steps."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from mobileone_mm.datasets.toy import ToyOptions, write_coco
from mobileone_mm.errors import DataError
from mobileone_mm.openmmlab.loops import require_batch, require_batches

CONFIGS = Path(__file__).parents[2] / 'configs/detection'
IMAGES = 5  # all of them with shapes


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('loops') / 'data'
    write_coco(folder, ToyOptions(images=IMAGES, val=1, size=64, seed=0))
    return folder


@pytest.mark.parametrize('name', ['ssd_mobileone_s0_own_coco.py', 'demo_ssd.py'])
def test_a_shipped_config_ends_in_our_words(name: str, data: Path, tmp_path: Path) -> None:
    config = Config.fromfile(CONFIGS / name)
    assert any(schedule.get('convert_to_iter_based') for schedule in config.param_scheduler)  # would divide by 0
    for loader, split in ((config.train_dataloader, 'train'), (config.val_dataloader, 'val')):
        prefix = {'img': f'images/{split}/'}
        loader.dataset.update(data_root=str(data), ann_file=f'annotations/{split}.json', data_prefix=prefix)
        loader.update(num_workers=0, persistent_workers=False)
    # mmengine keeps runners and visualizers by name.
    config.merge_from_dict({'work_dir': str(tmp_path), 'experiment_name': name, 'visualizer.name': name})
    with pytest.raises(DataError, match=rf'^{IMAGES} training images make no batch of 16; .* to {IMAGES} at most$'):
        Runner.from_cfg(config).train()
    assert not list(tmp_path.rglob('*.pth'))


def batches(images: int, size: int, drop_last: bool) -> dict[str, Any]:
    sampler = DefaultSampler(range(images), shuffle=False)
    return {'batch_sampler': BatchSampler(sampler, size, drop_last)}


@pytest.mark.parametrize(
    ('options', 'refused'),
    [
        ({'batch_size': 4, 'drop_last': True}, True),
        ({'batch_size': 3, 'drop_last': True}, False),
        ({'batch_size': 4, 'drop_last': False}, False),
        (batches(3, 4, drop_last=True), True),
        (batches(3, 4, drop_last=False), False),
    ],
)
def test_refuses_the_loaders_that_make_no_batch(options: dict[str, Any], refused: bool) -> None:
    loader: DataLoader[int] = DataLoader(range(3), **options)  # type: ignore[arg-type]
    assert (len(loader) == 0) == refused
    if refused:
        with pytest.raises(DataError, match=r'^3 training images make no batch of 4'):
            require_batches(loader)
    else:
        require_batches(loader)


def test_tells_the_share_of_each_gpu() -> None:
    require_batch(images=16, batch_size=16, ranks=2)
    with pytest.raises(
        DataError, match=r'^10 training images for each of 2 GPUs make no batch of 16; .* to 10 at most$'
    ):
        require_batch(images=10, batch_size=16, ranks=2)
