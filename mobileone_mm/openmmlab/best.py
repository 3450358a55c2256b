"""The best checkpoint of a training, and what it is the best by, as mmengine's CheckpointHook keeps it."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mobileone_mm.openmmlab import metrics


@dataclass(frozen=True)
class Best:
    """The best checkpoint that a run knows of, its own or that of the run it goes on from.

    Attributes:
        path: of the checkpoint.
        metric: the name of what it is the best by.
        value: of this metric, as `metrics.value` says it.
    """

    path: Path
    metric: str
    value: str


def best_of(runner: Runner) -> Best | None:
    """What CheckpointHook notes of the best checkpoint; None where there is none, or none yet."""
    info = runner.message_hub.runtime_info
    for key in saved_by(runner):
        one_of = '' if 'best_ckpt' in info else f'_{key}'  # where checkpoints are saved by several metrics
        if f'best_ckpt{one_of}' in info:
            return Best(
                Path(info[f'best_ckpt{one_of}']), metrics.name(key), metrics.value(key, info[f'best_score{one_of}'])
            )
    return None


def saved_by(runner: Runner) -> list[str]:
    """The metrics that the best checkpoints are saved by; 'auto' becomes one at the first validation."""
    saving = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    return list(saving.key_indicators) if saving and saving.save_best else []
