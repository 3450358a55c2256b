"""mmengine's log, without what earlier epochs gave."""

from typing import Any

from mmengine.runner import LogProcessor as MMEngineLogProcessor

from mobileone_mm.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class LogProcessor(MMEngineLogProcessor):  # type: ignore[misc]  # mmengine is untyped
    """mmengine's LogProcessor, whose means are over steps of one epoch: the last `window_size`, or those there are.

    With a few steps an epoch, the last 50 are of several, and what is logged lags behind the training. Where a loop
    counts in steps, nothing changes.

    Args:
        options: everything that mmengine's LogProcessor takes.
    """

    window_size: int

    def get_log_after_iter(self, runner: Any, batch_idx: int, mode: str) -> tuple[dict[str, Any], str]:
        window = self.window_size
        self.window_size = self.window_of(batch_idx + 1)
        try:
            found: tuple[dict[str, Any], str] = super().get_log_after_iter(runner, batch_idx, mode)
        finally:
            self.window_size = window
        return found

    def window_of(self, steps: int) -> int:
        """The number of steps that a mean is over after so many of an epoch."""
        return min(self.window_size, steps) if self.by_epoch else int(self.window_size)
