"""Whatever finds boxes in a picture, opened by what a user types: an artefact, or a config and its checkpoint."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mobileone_mm.artifact.card import info_of
from mobileone_mm.errors import CheckpointError, ConfigError, UsageError
from mobileone_mm.openmmlab import configs, open_model
from mobileone_mm.pictures import reading
from mobileone_mm.pictures.reading import Picture
from mobileone_mm.targets.opening import OPENERS, open_artifact
from mobileone_mm.tasks.detection.detections import Detections, Rules, of_artifact, of_model, rules_of
from mobileone_mm.tasks.detection.graph import require_ssd
from mobileone_mm.tasks.detection.options import ending_of

SHOWN_SCORE = 0.3  # score threshold of a model; the one that its config tests with lets hundreds of boxes through
MOST_BOXES = 200  # a picture, by an artefact, which names no limit
CONFIG_ENDING, CHECKPOINT_ENDING = '.py', '.pth'
EXPECTED = f'{" or ".join(OPENERS)}, or CONFIG{CONFIG_ENDING} CHECKPOINT{CHECKPOINT_ENDING}'


@dataclass(frozen=True)
class Finder:
    """An opened detector.

    Attributes:
        path: of the artefact or the checkpoint, as it was given.
        config: path of its config.
        classes: by label.
        rules: thresholds and limit to show its boxes with.
        find: what it finds in a picture (H, W, 3) of any size, in BGR.
    """

    path: str
    config: str
    classes: tuple[str, ...]
    rules: Rules
    find: Callable[[Picture, Rules], Detections]


def split_words(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Part a command's words into those that name a detector and those after them.

    Raises:
        UsageError: they begin with no detector.
    """
    ending = ending_of(words[0])
    if ending in OPENERS:
        return words[:1], words[1:]
    if ending == CONFIG_ENDING and len(words) > 1:
        return words[:2], words[2:]
    raise UsageError(f'{" ".join(words[:2])}: expected {EXPECTED} first')


def open_finder(words: Sequence[str], config: str | None = None) -> Finder:
    """Open an artefact (one word) or a config and its checkpoint (two); with `config`, a checkpoint of it (one).

    Raises:
        UsageError: the words are neither.
        ConfigError: the config is unreadable, no SSD, or has no fixed input size.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        ExportError: the artefact cannot be read.
    """
    endings = [ending_of(word) for word in words]
    if len(words) == 1 and endings[0] in OPENERS:
        return _of_artifact(words[0])
    if endings == [CHECKPOINT_ENDING] and config:
        if not Path(config).is_file():
            raise ConfigError(f'{words[0]}: its config {config} is not there; give both: CONFIG.py {words[0]}')
        return _of_checkpoint(config, words[0])
    if endings == [CONFIG_ENDING, CHECKPOINT_ENDING]:
        return _of_checkpoint(*words)
    alone = f', or a checkpoint of {config}' if config else ''
    raise UsageError(f'{" ".join(words)}: expected {EXPECTED}{alone}')


def _of_artifact(path: str) -> Finder:
    artifact = open_artifact(path)
    info = info_of(artifact.metadata)
    rules = Rules(info.confidence_threshold, info.iou_threshold, MOST_BOXES)
    return Finder(path, info.config, info.classes, rules, _stretching(partial(of_artifact, artifact), info.input_size))


def _of_checkpoint(config_path: str, path: str) -> Finder:
    with configs.quiet():
        config = configs.load_config(config_path)
        if configs.task_of(config) != 'detection':
            raise ConfigError(f'{config_path}: a config for {configs.task_of(config)}, expected one for detection')
        model, source = open_model.open_model(config, path)
        require_ssd(model)
        classes = configs.class_names(config)
    if source.classes and tuple(source.classes) != classes:
        raise CheckpointError(
            f'{path}: trained on the classes {tuple(source.classes)}, {config_path} names {classes}; '
            'give the config it was trained with'
        )
    rules = replace(rules_of(config), score_threshold=SHOWN_SCORE)
    return Finder(
        path, config_path, classes, rules, _stretching(partial(of_model, model), reading.input_size_of(config))
    )


def _stretching(
    find: Callable[[Picture, Rules], Detections], size: tuple[int, int]
) -> Callable[[Picture, Rules], Detections]:
    return lambda bgr, rules: find(reading.stretched(bgr, size), rules)
