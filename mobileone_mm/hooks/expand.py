"""A hook that finishes the expansion of fused weights on the user's own training images."""

from typing import Any

from mmengine.dist import broadcast
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor

from mobileone_mm.errors import ConfigError, DataError
from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab.log import on_screen
from mobileone_mm.openmmlab.second_reader import first_batches
from mobileone_mm.registry import HOOKS
from mobileone_mm.weights import expand


@HOOKS.register_module()
class ExpandHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Calibrates a backbone that was expanded from fused weights, once, before the first training step.

    Does nothing to any other backbone, and nothing on resume. All ranks get rank 0's result. An averaged copy (EMAHook)
    takes over the weights at its first update, so it needs no care here. The images are those that training sees
    first, read by a loader of its own: training gets the same batches, in the same order, as without this hook.

    Args:
        num_batches: training batches to take the statistics from; more smooth them and cost a forward pass each.
    """

    def __init__(self, num_batches: int = 4) -> None:
        if num_batches < 1:
            raise ConfigError(f'ExpandHook: num_batches={num_batches} given, expected at least 1')
        self.num_batches = num_batches

    def before_train(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        backbones = [module for module in model.modules() if expand.awaits_calibration(module)]
        for backbone in backbones:
            if runner._resume and runner._has_loaded:  # not where there was no checkpoint to go on from
                backbone.awaits_calibration = False
                continue
            batches = self._images(runner, model)
            parity = expand.calibrate(backbone, batches)
            for value in backbone.state_dict().values():
                broadcast(value)
            done = f'expanded fused weights, calibrated on {sum(map(len, batches))} training images'
            runner.logger.info(
                f'{done}. On the first {len(batches[0])} of them training mode follows the fused function to '
                f'{parity.psnr_db:.1f} dB PSNR; '
                + (
                    "the rest is how far one batch's statistics are from those of all, which larger batches make less"
                    if len(batches) > 1
                    else 'the rest is rounding'
                ),
                extra=on_screen(done),
            )

    def _images(self, runner: Runner, model: BaseModel) -> list[Tensor]:
        """The first batches as training will see them, normalised, on the model's device."""
        with first_batches(runner, self.num_batches) as read:
            return [_images(model, data) for data in read]


def _images(model: BaseModel, data: Any) -> Tensor:
    prepared: dict[str, Any] = model.data_preprocessor(data, True)
    if not isinstance(prepared['inputs'], Tensor):
        raise DataError(
            f'ExpandHook: a training batch of {type(prepared["inputs"]).__name__} given, expected one image '
            'tensor (N, C, H, W); calibrate with mobileone_mm.weights.expand.calibrate instead'
        )
    return prepared['inputs']
