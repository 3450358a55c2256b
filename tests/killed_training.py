"""A training as a user types it, killed after a step: python killed_training.py STEP, and the words of mobileone train.

Step 0: it is not killed.
"""

import os
import signal
import sys
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from mobileone_mm import cli
from mobileone_mm.commands import train


class Kill(Hook):  # type: ignore[misc]
    """Ends the process as the system would for want of memory: nothing is written or closed."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner: Runner, *_: Any, **__: Any) -> None:
        if runner.iter + 1 == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)


HOOKS.register_module(module=Kill)
sys.exit(cli.run(train.main, sys.argv[2:]))
