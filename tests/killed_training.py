"""`mobileone train` with a hook that kills it, for configs that name it: python killed_training.py WORDS."""

import os
import signal
import sys
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mobileone_mm import cli
from mobileone_mm.commands import train


@HOOKS.register_module()
class Kill(Hook):  # type: ignore[misc]
    """Ends the process after a step, as the system would for want of memory: nothing is written or closed."""

    priority = 'VERY_LOW'

    def __init__(self, step: int) -> None:
        self._step = step

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter + 1 == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


sys.exit(cli.run(train.main, sys.argv[1:]))
