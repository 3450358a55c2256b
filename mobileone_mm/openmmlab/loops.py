"""mmengine's training loop, checked: a set that fills no batch is refused before anything divides by its steps."""

from typing import Any

from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop
from torch.utils.data import DataLoader

from mobileone_mm.errors import DataError
from mobileone_mm.registry import LOOPS


@LOOPS.register_module()
class EpochBasedTrainLoop(MMEngineEpochBasedTrainLoop):  # type: ignore[misc]  # mmengine is untyped
    """mmengine's EpochBasedTrainLoop, which ends with our message where the set fills no batch.

    The loop builds the data loader and is itself built first of all; the learning rate schedule
    (`convert_to_iter_based`) divides by the number of steps next, and hooks are called only after that.

    Args:
        options: everything that mmengine's EpochBasedTrainLoop takes.

    Raises:
        DataError: the data set makes no whole batch and `drop_last` drops the rest.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        require_batches(self.dataloader)


def require_batches(loader: 'DataLoader[Any]') -> None:
    """Refuse a data loader without a batch.

    Raises:
        DataError: its data set makes no whole batch and `drop_last` drops the rest.
    """
    if len(loader) == 0:
        batches: Any = loader.batch_sampler  # where it is the config's own, the loader itself knows no batch size
        require_batch(len(batches.sampler), batches.batch_size, get_world_size())


def require_batch(images: int, batch_size: int, ranks: int = 1) -> None:
    """Check that there is a batch to train on where a last batch that is not full is dropped (`drop_last`).

    Args:
        images: that each rank trains on: a share of the set, rounded up.
        batch_size: of each rank.
        ranks: how many share the set, one a GPU.

    Raises:
        DataError: there is none.
    """
    if images < batch_size:
        each = f' for each of {ranks} GPUs' if ranks > 1 else ''
        raise DataError(
            f'{images} training images{each} make no batch of {batch_size}; add images, or lower '
            f'train_dataloader.batch_size in the config to {images} at most'
        )
