"""What a task (detection, ...) has to bring so that its models can be exported, checked, scored and looked at.

Outputs are arrays by name. A size is (width, height) in pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from torch import Tensor, nn

from mobileone_mm.artifact.card import SCALE_FILL, Card, Check
from mobileone_mm.artifact.inputs import Picture, as_planes
from mobileone_mm.artifact.ladder import Rung
from mobileone_mm.artifact.runner import Outputs, Runner
from mobileone_mm.openmmlab.inputs import input_size_of
from mobileone_mm.openmmlab.test_data import Samples
from mobileone_mm.pictures.reading import DEFAULT, Resampling
from mobileone_mm.tasks.judging import Judging
from mobileone_mm.threads import one_thread

Size = tuple[int, int]
Pairs = Sequence[tuple[Outputs, Outputs]]  # of each picture: what is expected, what was found


class Graph(nn.Module):
    """A torch graph that is exported: an RGB picture (1, 3, H, W), 0..255, in; tensors of fixed size out.

    Attributes:
        size: (width, height) of the picture.
        outputs: names of what comes out, in order.
    """

    size: Size
    outputs: tuple[str, ...]

    def round_numbers(self, in_half: Callable[[str], bool]) -> None:
        """Round plain numbers among the constants to float16, in place, where `in_half` says that a buffer is."""


def run_graph(graph: Graph, picture: Picture) -> Outputs:
    """What a graph gives for a picture of its size, in its own precision."""
    image = torch.from_numpy(as_planes(picture)).to(next(graph.parameters(), torch.empty(0)).dtype)
    # With as many threads everywhere: the last digit depends on it, and the metadata hold what comes out.
    with torch.no_grad(), one_thread():
        tensors: Sequence[Tensor] = graph(image)
    return {name: tensor.numpy() for name, tensor in zip(graph.outputs, tensors, strict=True)}


@dataclass(frozen=True)
class Framed:
    """How a config brings pictures of any size to what an export of its model takes.

    Attributes:
        options: the task's, with what the config adds.
        size: of the picture that the export takes.
        crop: how one of any size becomes that, as a card says it.
        resampling: how it is resized on the way.
    """

    options: Any
    size: Size
    crop: str = SCALE_FILL
    resampling: Resampling = DEFAULT


def stretched_whole(options: Any, config: Config, size: Size | None) -> Framed:
    """Of tasks that stretch every picture to one size: that of the test pipeline, unless it is given."""
    return Framed(options, size or input_size_of(config))


@dataclass(frozen=True)
class Task:
    """A task: what the rooms above know of it. What a prediction is, the task alone knows.

    Attributes:
        name: as in a card.
        noun: what its models are called.
        host: the OpenMMLab package of its models, as `default_scope` names it.
        options: the class of its options, a frozen dataclass whose fields all have defaults.
        export: how its models become graphs, and how close two forms of one have to be.
        predict: how outputs become predictions.
        look: how predictions are compared and shown.
        judging: how predictions are judged by annotations.
    """

    name: str
    noun: str
    host: str
    options: Callable[..., Any]
    export: 'Exporting'
    predict: 'Predicting'
    look: 'Looking'
    judging: Judging


@dataclass(frozen=True)
class Exporting:
    """How models of a task become graphs, and how close two forms of one have to be.

    Attributes:
        require: refuses a model that cannot be exported.
        framed: options for a config, and how pictures are brought to what the export takes: of a size, if it is given.
        require_options: refuses options that do not fit a model, which has no weights yet, or an input size.
        class_count: how many classes a model tells apart.
        class_names: the names of a config's classes as an export has them, in the order of the model's outputs; those
            that its checkpoint knows, if it does, for a config that names none.
        as_named: names from elsewhere as an export has them.
        graph: the graph of a fused model, for an input size, under the task's options.
        reference: what a model itself gives for a picture under these options, by its host's code, in the model's own
            precision.
        compare: checks of what was found against what was expected, under a name, by the limits of a step: 'graph',
            'float32', 'float16' or a way to store weights.
        most: the largest limits under which a comparison still says anything, by unit, for an input size.
        digest: what a card keeps of the outputs for the drawn picture.
        compare_digest: checks of such outputs, computed now, against what a card keeps, by the limits of a step.
        probe: the check of what `digest` gives, when it is read from a card.
        settings: what a card says of the task's options, for a config and its classes.
        setting_checks: the checks of these, by name.
        shown_settings: those that a person wants to see, each as a title, a value and a note.
        facts: numbers that describe a graph, by name, from the shapes of its outputs.
    """

    require: Callable[[Any], None]
    framed: Callable[[Any, Config, Size | None], Framed]
    require_options: Callable[[Any, Any, Size], None]
    class_count: Callable[[Any], int]
    class_names: Callable[[Config, Sequence[str] | None], tuple[str, ...]]
    as_named: Callable[[Sequence[str]], tuple[str, ...]]
    graph: Callable[[Any, Size, Any], Graph]
    reference: Callable[[Any, Picture, Any], Outputs]
    compare: Callable[[str, Pairs, Size, str], list[Rung]]
    most: Callable[[Size], Mapping[str, float]]
    digest: Callable[[Outputs], Mapping[str, Any]]
    compare_digest: Callable[[Card, Outputs, str], list[Rung]]
    probe: Check
    settings: Callable[[Any, Config, Sequence[str]], Mapping[str, Any]]
    setting_checks: Mapping[str, Check]
    shown_settings: Callable[[Mapping[str, Any]], Sequence[tuple[str, str, str]]]
    facts: Callable[[Mapping[str, Sequence[int]]], Mapping[str, int]]


@dataclass(frozen=True)
class Predicting:
    """How outputs become predictions, and predictions scores.

    Attributes:
        rules: how a config's model is tested.
        shown_rules: the same, to look at.
        card_rules: an artifact's own.
        changed: rules with some of their values replaced, by name.
        as_dict: rules by the names that a report has for them.
        decode: the prediction in outputs.
        by: the prediction of an artifact for a picture of its size, under rules.
        samples: test data as pictures that an export takes, where they are not what its model is tested on; else None.
        own_rule: how a host's own model predicts, in words.
        exported_rule: how an artifact does, in words; the same where there is no difference.
        rule_change: what it does otherwise, in words, for a number of classes.
        to_sample: a copy of a host's data sample that holds a prediction, for its metrics.
        limit_metric: has an evaluator count no more than the pictures that are used.
        evaluated: what an evaluator makes of the predictions that it was given, for a number of pictures and these
            classes: its metrics by key, and the score of each class alone, by name, where it has one.
        main_metric: the last part of the key of the metric that counts most, where a config names none.
        class_metric: what the score of a class alone is called.
        percent: whether the host's metrics are in percent, as those of mmseg and mmpretrain; mmdet's are fractions.
        for_person: a prediction for a picture of `size` with these classes, as code outside wants it.
    """

    rules: Callable[[Config], Any]
    shown_rules: Callable[[Config], Any]
    card_rules: Callable[[Card], Any]
    changed: Callable[[Any, Mapping[str, Any]], Any]
    as_dict: Callable[[Any], Mapping[str, float]]
    decode: Callable[[Outputs, Any], Any]
    by: Callable[[Runner, Picture, Any], Any]
    samples: Callable[[Samples, Card], Samples | None]
    own_rule: str
    exported_rule: str
    rule_change: Callable[[int], str]
    to_sample: Callable[[Any, Any], Any]
    limit_metric: Callable[[Evaluator, Samples], None]
    evaluated: Callable[[Evaluator, int, Sequence[str]], tuple[Mapping[str, float], Mapping[str, float]]]
    main_metric: str
    class_metric: str
    percent: bool
    for_person: Callable[[Any, Sequence[str], Size], Any]


class Agreement(Protocol):
    """How far two predictions for one picture agree."""

    @property
    def differing(self) -> int:
        """How much differs: boxes, pixels."""


class Total(Protocol):
    """How far the predictions for several pictures agree; a dataclass, which reports hold."""

    @property
    def complete(self) -> bool:
        """Whether everything agrees."""

    @property
    def hint(self) -> str:
        """What explains most of what differs, in a sentence; empty where nothing needs to be explained."""

    def said(self, left: str, right: str) -> str:
        """One sentence without its full stop; the sides go by these names."""


@dataclass(frozen=True)
class Looking:
    """How predictions are compared and shown.

    Attributes:
        by_both: the predictions of two models for one picture under the same rules, to be compared.
        agree: how far two predictions for a picture of a size agree: an `Agreement`.
        total: the agreements of several pictures as one: a `Total`.
        draw: a prediction on its picture.
        draw_pair: two predictions on copies of their picture, with what differs marked.
        truth: what a picture shows by its annotations, as a prediction that is sure of everything: from the data set's
            entry for it and the data sample that the test pipeline gives; None where there are no annotations.
        draw_beside: what a picture shows, if that is known, and two predictions on copies of it, with what differs
            marked and no more than can be read; each with what is on it in words.
        colours: the colour of each of so many classes, as #rrggbb; empty where classes have none.
        key: the name of a prediction in JSON.
        as_json: a prediction as JSON can hold it.
        counts: how often each class was found.
        counted: such counts of several pictures, in words.
        said: a prediction in words.
    """

    by_both: Callable[[Callable[[Any], Any], Callable[[Any], Any], Any], tuple[Any, Any]]
    agree: Callable[[Any, Any, Size], Agreement]
    total: Callable[[Sequence[Any]], Total]
    draw: Callable[[Picture, Any, Sequence[str]], Picture]
    draw_pair: Callable[[Picture, Any, Any, Sequence[str], Any], tuple[Picture, Picture]]
    truth: Callable[[Mapping[str, Any], Any], Any]
    draw_beside: Callable[[Picture, Any, Any, Any, Sequence[str], Any], Sequence[tuple[Picture, str]]]
    colours: Callable[[int], Sequence[str]]
    key: str
    as_json: Callable[[Any, Sequence[str], Size], list[dict[str, Any]]]
    counts: Callable[[Any, Sequence[str]], Mapping[str, int]]
    counted: Callable[[Mapping[str, int]], str]
    said: Callable[[Any, Sequence[str]], str]
