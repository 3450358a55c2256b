"""The torch graph that is exported: one picture in, a probability for each class out, every size a constant.

Letters: C classes, H x W the picture in pixels.
"""

from collections.abc import Sequence
from copy import copy, deepcopy
from typing import Any

from torch import Tensor

from mobileone_mm.errors import ConfigError
from mobileone_mm.openmmlab.inputs import Normalise
from mobileone_mm.pictures.reading import middle
from mobileone_mm.tasks.classification.options import FramedOptions
from mobileone_mm.tasks.task import Graph, Size

LOGITS = 'logits'
PROBABILITIES = 'classLabelProbs'  # as in Apple's own classifiers


class ClassifierGraph(Graph):
    """A fused classifier with the cut out of the middle, its normalisation and its softmax.

    Input: RGB picture (1, 3, H, W), 0..255. Output: `logits` (1, C) float; `classLabelProbs` (1, C), their softmax.
    """

    outputs: tuple[str, ...] = (LOGITS, PROBABILITIES)

    def __init__(self, model: Any, size: Size, options: FramedOptions) -> None:
        """Take a model that `require_classifier` lets pass."""
        super().__init__()
        self.size = size
        self.labels: tuple[str, ...] = ()
        self.seen = middle(size, (options.seen, options.seen)) if options.seen else None
        self.model = deepcopy(model)
        self.normalise = Normalise(model.data_preprocessor)

    def packaged(self, labels: Sequence[str]) -> 'ClassifierGraph':
        """The same graph without its logits, for a package with these labels."""
        graph = copy(self)
        graph.outputs, graph.labels = (PROBABILITIES,), tuple(labels)
        return graph

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        if self.seen is not None:
            rows, columns = self.seen
            image = image[:, :, rows, columns]
        logits: Tensor = self.model.head(self.model.extract_feat(self.normalise(image)))
        probabilities = logits.softmax(dim=1)
        return (logits, probabilities) if LOGITS in self.outputs else (probabilities,)


def require_classifier(model: Any) -> None:
    """Refuse a model that `ClassifierGraph` would export wrongly.

    Raises:
        ConfigError: it is no ImageClassifier that chooses one class by the softmax of one head's logits.
    """
    from mmpretrain.models import ImageClassifier
    from mmpretrain.models.heads import ClsHead

    head = getattr(model, 'head', None)
    own = isinstance(model, ImageClassifier) and isinstance(head, ClsHead)
    for part, host, names in (
        (model, ImageClassifier, ('extract_feat', 'predict')),
        (head, ClsHead, ('predict', '_get_predictions')),
    ):
        own = own and all(getattr(type(part), name) is getattr(host, name) for name in names)
    if not own or not hasattr(head, 'num_classes'):
        given = type(model).__name__ if head is None else f'{type(model).__name__} with the head {type(head).__name__}'
        raise ConfigError(f'{given} given, expected an ImageClassifier whose head gives a logit a class')
