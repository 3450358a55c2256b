"""An export, station by station; nobody else knows their order."""

import logging
import math
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from mobileone_mm import __version__
from mobileone_mm.artifact import ladder
from mobileone_mm.artifact.card import Card
from mobileone_mm.artifact.formats import size_of
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.atomic import replacing_together
from mobileone_mm.errors import UsageError, printable
from mobileone_mm.evaluation import scoring
from mobileone_mm.evaluation.candidates import Session, exported, of_model
from mobileone_mm.evaluation.scores import Scores
from mobileone_mm.exporter.examples import Examples, examples_of
from mobileone_mm.exporter.model_checks import Checked, checked_graph, fused_of
from mobileone_mm.exporter.options import check_options, split_options
from mobileone_mm.exporter.page import write_page
from mobileone_mm.exporter.page_pictures import Pair
from mobileone_mm.exporter.report import Report
from mobileone_mm.exporter.saving import KEEP_IT, save_checked, verdict_on
from mobileone_mm.exporter.source import Source, loaded
from mobileone_mm.locks import holding
from mobileone_mm.openmmlab import configs
from mobileone_mm.outputs import PAGE, REPORT, page_of, report_text, require_outputs
from mobileone_mm.pictures.drawing import supervision
from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.reparam import fuse
from mobileone_mm.targets.by_ending import target_to_write
from mobileone_mm.targets.target import Described, Draft
from mobileone_mm.tasks.task import Size, Task, run_graph
from mobileone_mm.track import Track, untracked

LOGGER = logging.getLogger(__name__)


@holding()
def export(
    config_path: str | Path,
    checkpoint_path: str | Path,
    out: str | Path,
    *,
    options: Mapping[str, Any] = MappingProxyType({}),
    input_size: Size | None = None,
    images: Sequence[str | Path] = (),
    evaluate: bool = False,
    limit: int | None = None,
    track: Track = untracked,
    keep_failed: bool = False,
    config_wins: bool = False,
    report: str | Path | None = None,
) -> Report:
    """Write a checked artifact from a config and its checkpoint, trained or fused; the ending of `out` is the format.

    What stood at `out` before is replaced only when every check has passed, or with `keep_failed`: then the file itself
    says that it failed, and so does the page about it, which is written beside it. The file, the page and `report`
    appear together at the very end: when one of them cannot be written, or the scoring fails, nothing was changed.

    Args:
        config_path: of an mmdet, mmseg or mmpretrain model.
        checkpoint_path: its weights.
        out: the file to write.
        options: of its task and format, by name: the fields of `DetectionOptions`, `SegmentationOptions` or
            `ClassificationOptions`, and of `CoreMLOptions` or `OnnxOptions`.
        input_size: (width, height) in px; None takes that of the config's test pipeline.
        images: what is compared on; without any, pictures of the config's test data, or else a drawn one.
        evaluate: score it on the config's test data.
        limit: with `evaluate`, the first pictures only.
        track: says how far the scoring is.
        keep_failed: write the file although a check failed, to try how fast it is, say.
        config_wins: take this config although the checkpoint says that it was trained with another one.
        report: a .json file to write, with what was measured.

    Raises:
        UsageError: `out` or an option is wrong, or another process is writing one of the files.
        ConfigError: the config is unreadable, for a model that is not exported, or has no fixed input size.
        CheckpointError: the checkpoint is unreadable or belongs to something else.
        DataError: a picture cannot be read.
        ParityError: two forms of the model differ by more than their limit, unless `keep_failed`; or in float32 it
            gives no numbers.
        ExportError: the conversion failed, or the saved file breaks a rule of its format.
    """
    if limit is not None and (limit < 1 or not evaluate):
        raise UsageError(f'`limit` {limit}: expected a number of pictures from 1, together with `evaluate`')
    if input_size is not None and min(input_size) < 1:
        raise UsageError(f'`input_size`: {input_size} given, expected a width and a height in pixels')
    out = Path(out)
    target = target_to_write(out)
    check_options(out.suffix, options)
    outputs = [(out, target.kind), (page_of(out), PAGE), *([] if report is None else [(report, REPORT)])]
    require_outputs(outputs, [config_path, checkpoint_path, *images])
    clock = _Clock()
    with clock.station('load', announce=False):  # what is refused is refused here, in one line
        made_with = target.made_with()
        supervision()  # draws the page
        options_of = partial(split_options, ending=out.suffix, given=options)
        source = loaded(config_path, checkpoint_path, input_size, options_of, config_wins)
        task, task_options, target_options = source.task, source.frame.options, source.target_options
        with configs.running(source.config):
            target.require(
                task, lambda: task.export.graph(fuse(source.model), source.size, task_options), target_options
            )
        session = scoring.open_session(source.config, limit) if evaluate else None
        samples = session.samples if session else None
        examples = examples_of(images, source.config, source.task, source.frame, samples)
        pictures = examples.pictures
    settings = task.export.settings(task_options, source.config, source.classes)
    described = target.describe(target_options)
    with clock.station('fuse'), configs.running(source.config):
        fused = fused_of(task, task_options, source.model, pictures, source.checkpoint.form == 'fused')
    with clock.station('graph'), configs.running(source.config):
        checked = checked_graph(task, task_options, fused, source.size, pictures, described)
        # What gives no numbers in float32 is not worth keeping either, nor could a card say what it gives.
        lost = [rung for rung in checked.rungs if not math.isfinite(rung.value or 0)]
        ladder.require_rungs(lost if keep_failed else checked.rungs, '' if lost else KEEP_IT)
    with ExitStack() as room:
        with clock.station('convert'):
            draft = room.enter_context(target.convert(checked.graph, task, source.classes, settings, target_options))
        card = _card(source, draft, described, settings, checked, _versions(task, made_with))
        # Inside of the room, whose disk would be blamed otherwise when this one is full.
        with replacing_together(outputs) as (fresh, fresh_page, *fresh_report):
            with clock.station('save and check'):
                saved = save_checked(target, draft, card, fresh, checked, pictures, keep_failed)
                card, runner = saved.card, saved.opened.runner
            pairs = _found(source.task, examples, card, runner, fused.trained)
            scores = None
            if session is not None:
                with clock.station('score'):
                    scores = _scores(session, source, out, card, runner, track)
            done = Report(
                artifact=out,
                info=card,
                rungs=(*checked.rungs, *saved.rungs),
                facts=task.export.facts(draft.shapes),
                operations=draft.operations,
                bytes=size_of(fresh),
                seconds=clock.seconds,
                scores=scores,
                pictures=examples.source,
            )
            with clock.station('report', announce=False):
                write_page(fresh_page, done, pairs, target.snippet(out, card), examples.lacking)
            for path in fresh_report:
                path.write_text(report_text(done.as_dict()))
    return done


def _card(
    source: Source,
    draft: Draft,
    described: Described,
    settings: Mapping[str, Any],
    checked: Checked,
    versions: Mapping[str, str],
) -> Card:
    digest = source.task.export.digest
    return Card(
        task=source.task.name,
        config=printable(source.config_path),
        checkpoint=printable(source.checkpoint.path),
        checkpoint_sha256=source.checkpoint.sha256,
        classes=source.classes,
        input_size=source.size,
        crop=source.frame.crop,
        target=described.target,
        precision=described.precision,
        fp32_ops=described.fp32_ops,
        weights=described.weights,
        versions=versions,
        layers=draft.layers,
        probe=digest(run_graph(checked.graph, drawn_picture(source.size))),
        noise=checked.noise,
        parity=ladder.as_dicts(checked.rungs),
        verdict=verdict_on(checked.rungs),
        settings=settings,
    )


def _found(task: Task, examples: Examples, card: Card, runner: Runner, trained: Sequence[Outputs]) -> list[Pair]:
    """What the trained model and the exported file find in the pictures, at the file's own thresholds."""
    rules, pairs = task.predict.card_rules(card), []
    shown = zip(examples.names, examples.pictures, examples.canvases, examples.truths, trained, strict=True)
    for name, picture, canvas, truth, outputs in shown:
        before, after = task.look.by_both(
            partial(task.predict.decode, outputs), partial(task.predict.by, runner, picture), rules
        )
        pairs.append(Pair(name, picture, before, after, truth, canvas))
    return pairs


def _scores(session: Session, source: Source, out: Path, card: Card, runner: Runner, track: Track) -> Scores:
    name = f'{source.checkpoint.form} model ({source.checkpoint.path.name})'
    candidates = [
        *of_model(session, source.model.float(), name),
        exported(session, out, card, runner),
    ]
    return scoring.score(session, out, candidates, track=track)


def _versions(task: Task, made_with: Sequence[ModuleType]) -> dict[str, str]:
    return {
        'mobileone_mm': __version__,
        'python': platform.python_version(),
        **{name: version(name) for name in ('torch', configs.PACKAGES[task.host], 'mmengine')},
        # As it says it itself: it may have been installed under another name, such as onnxruntime-gpu.
        **{module.__name__: module.__version__ for module in made_with},
    }


@dataclass(frozen=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def station(self, name: str, announce: bool = True) -> Iterator[None]:
        """Say which station begins, if it is to be announced, and how long it took."""
        if announce:
            LOGGER.info('%s ...', name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        LOGGER.info('%s: %.1f s', name, self.seconds[name])
