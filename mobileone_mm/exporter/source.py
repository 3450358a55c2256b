"""What is exported: a config, its checkpoint, and the model that they make."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mobileone_mm.errors import ConfigError, is_plain
from mobileone_mm.openmmlab import configs
from mobileone_mm.openmmlab.inputs import require_size
from mobileone_mm.openmmlab.open_model import open_model
from mobileone_mm.tasks.by_name import task_for
from mobileone_mm.tasks.task import Framed, Size, Task
from mobileone_mm.weights.checkpoint import Checkpoint


@dataclass(frozen=True)
class Source:
    """What is exported, and what it is looked at with.

    Attributes:
        task: of the model.
        config: the config.
        config_path: as it was given.
        checkpoint: the weight file.
        model: trained or fused.
        classes: in the order of its outputs.
        frame: the task's options, and how pictures are brought to what the export takes.
        target_options: of the format.
    """

    task: Task
    config: Config
    config_path: str
    checkpoint: Checkpoint
    model: Any
    classes: tuple[str, ...]
    frame: Framed
    target_options: Any

    @property
    def size(self) -> Size:
        """(width, height) in pixels."""
        return self.frame.size


def loaded(
    config_path: str | Path,
    checkpoint_path: str | Path,
    input_size: Size | None,
    options_of: Callable[[str], tuple[Any, Any]],
    config_wins: bool,
) -> Source:
    """What the files hold; `options_of` gives the options of a task, by its name, and of the format."""
    with configs.quiet():  # mmengine says on stdout which variables a config reads
        config = configs.load_config(config_path)
    task = task_for(config)
    task_options, target_options = options_of(task.name)
    frame = None

    def require(model: Any) -> None:
        nonlocal frame
        # Before the weights and the size: of another model's config, it is the first thing to be said.
        try:
            task.export.require(model)
        except ConfigError as error:
            raise ConfigError(f'{config_path}: {error}') from error
        try:
            frame = task.export.framed(task_options, config, input_size)
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # of values that no transform takes
            raise ConfigError(
                f'{config_path}: test_dataloader.dataset.pipeline: cannot be read: {type(error).__name__}: {error}'
            ) from error
        require_size(model, frame.size)
        task.export.require_options(frame.options, model, frame.size)

    model, checkpoint = open_model(config, checkpoint_path, require, config_wins)
    assert frame is not None, 'with its model'
    classes = _classes(config, task, model, checkpoint)
    return Source(task, config, str(config_path), checkpoint, model, classes, frame, target_options)


def _classes(config: Config, task: Task, model: Any, source: Checkpoint) -> tuple[str, ...]:
    classes, count = task.export.class_names(config, source.classes), task.export.class_count(model)
    if len(set(classes)) != len(classes):
        raise ConfigError(f'{config.filename}: a class name stands twice in {classes}')
    if unseen := [name for name in classes if not name or not is_plain(name)]:
        raise ConfigError(
            f'{config.filename}: class names {unseen!r}, expected texts without control characters; rename these '
            'classes in the config; of class folders, the folders too'
        )
    if len(classes) != count:
        raise ConfigError(f'{config.filename}: the data set has {len(classes)} classes, the model {count}')
    return classes
