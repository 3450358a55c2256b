"""A hook that keeps what mmengine adds to a checkpoint plain enough to be loaded again."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mobileone_mm.registry import HOOKS
from mobileone_mm.weights.plain import plain


@HOOKS.register_module()
class PlainCheckpointHook(Hook):  # type: ignore[misc]  # mmengine is untyped
    """Makes checkpoints that load with `weights_only=True`: in `mim test`, with `--resume`, in our tools, everywhere.

    mmengine 0.10.7 stores the histories of its logger as objects, which torch 2.6 and later refuse to load. Kept are
    the plain values (best score, last checkpoint, ...); the curves stay in the log files.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        info = plain(checkpoint['message_hub']['runtime_info'])
        # Marked to be stored again by a resumed run, or the best score would be forgotten at the second --resume.
        checkpoint['message_hub'] = {'log_scalars': {}, 'runtime_info': info, 'resumed_keys': dict.fromkeys(info, True)}
        checkpoint['meta'] = plain(checkpoint['meta'])
