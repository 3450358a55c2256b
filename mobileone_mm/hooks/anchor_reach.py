"""A hook that says, before the first step, how many of the boxes an anchor can reach at all."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mobileone_mm.hooks.unwrap import unwrapped
from mobileone_mm.openmmlab.log import on_screen
from mobileone_mm.registry import HOOKS
from mobileone_mm.setup.reach import reach_of


@HOOKS.register_module()
class AnchorReachHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Logs the share of the training boxes that an anchor reaches at the assigner's IoU, by class.

    A box that none reaches is hardly learned, and nothing else says so. Under 80 % of a class it warns, and logs lines
    for the config whose anchors reach more, where k-means over the boxes finds such. Boxes are those of the
    annotations, resized but not cropped or shrunk by chance. Does nothing to a model without such anchors, and nothing
    on resume.
    """

    def before_train(self, runner: Runner) -> None:
        if not is_main_process() or (runner._resume and runner._has_loaded):
            return
        reach = reach_of(unwrapped(runner.model), runner.train_dataloader.dataset)
        if reach is None:
            return
        if reach.low:
            text = reach.warning()
            runner.logger.warning(text, extra=on_screen(f'warning: {text}'))
        else:
            runner.logger.info(reach.said(), extra=on_screen(reach.said()))
