"""mmpretrain's classifier, trained on what other classifiers say of the same pictures.

Letters: N pictures, C classes, H x W their size in pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.models import ClsDataPreprocessor, ImageClassifier
from torch import Tensor
from torch.nn import functional

from mobileone_mm.errors import ConfigError
from mobileone_mm.models.classifiers.teachers import Teachers
from mobileone_mm.models.init_files import init_weights_and_read


class DistilledClassifier(ImageClassifier):  # type: ignore[misc]  # mmpretrain is untyped
    """An `ImageClassifier`, the student, whose loss is its cross-entropy to the mean of its teachers' softmax.

    That is the loss of MEAL V2 (arXiv 2009.08453), whose recipe the paper names (table 10), without its discriminator:
    temperature 1, and no hard labels unless asked for.

    Training apart it is an `ImageClassifier` and nothing else. Teachers are no part of it: no entry of its state dict,
    no parameter of an optimizer, nothing that `train()` or a copy of it reaches. They are opened when training starts,
    by `init_weights`, and never for a test, a fusion or an export.

    Args:
        teachers: for each a dict with the fields of `TeacherOptions`: `name`, and `checkpoint` if need be.
        hard_label_weight: from 0; the factor of the head's own loss on the labels of the data set, which is added.
        init_cfg: `dict(type='Pretrained', checkpoint=...)` fills the student, its linear layer included, from Apple's,
            mmpretrain's, timm's or our file, trained or fused (docs/checkpoint.md).
        options: those of `ImageClassifier`.

    Raises:
        ConfigError: an argument that does not fit; the message names it.
    """

    def __init__(
        self,
        *,
        teachers: Sequence[Mapping[str, Any]],
        hard_label_weight: float = 0.0,
        init_cfg: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(init_cfg=init_cfg, **options)
        if type(self.data_preprocessor) is not ClsDataPreprocessor:
            raise ConfigError(
                f'DistilledClassifier: data_preprocessor of type {type(self.data_preprocessor).__name__} given, '
                'expected ClsDataPreprocessor, whose normalisation is undone for the teachers'
            )
        if not isinstance(hard_label_weight, int | float) or not 0 <= hard_label_weight < float('inf'):
            raise ConfigError(f'DistilledClassifier: hard_label_weight={hard_label_weight!r} given, expected 0 or more')
        self.hard_label_weight = hard_label_weight
        self.teachers = Teachers(teachers)

    def init_weights(self) -> None:
        """Initialise the student, and open the teachers.

        Raises:
            CheckpointError: a file cannot be had, or does not belong to this network.
            ConfigError: a teacher cannot be built.
        """
        if not self.is_init:
            init_weights_and_read(self, super().init_weights, 'PretrainedClassifier')
        self.teachers.open()

    def loss(self, inputs: Tensor, data_samples: list[Any]) -> dict[str, Tensor]:
        """`loss_soft`, and `loss_hard` where it has a weight.

        Args:
            inputs: (N, 3, H, W), normalised by this model's data preprocessor; pictures mixed by it are mixed for the
                teachers too.
            data_samples: N, with labels where `hard_label_weight` is not 0.

        Raises:
            ConfigError: a teacher has other classes or takes no pictures of this size.
        """
        features = self.extract_feat(inputs)
        scores = self.head(features)
        labels = self.teachers.soft_labels(self._pixels(inputs), classes=scores.shape[1])
        losses = {'loss_soft': soft_label_loss(scores, labels)}
        if self.hard_label_weight:
            hard: Tensor = self.head.loss(features, data_samples)['loss']
            losses['loss_hard'] = self.hard_label_weight * hard
        return losses

    def _pixels(self, inputs: Tensor) -> Tensor:
        """The pictures as they were before the data preprocessor: planes of blue, green and red, 0..255."""
        ours = self.data_preprocessor
        pixels = inputs * ours.std + ours.mean if hasattr(ours, 'mean') else inputs
        return pixels.flip(1) if ours.to_rgb else pixels


def soft_label_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """The mean over pictures of -sum(labels * log softmax(scores)), at least in float32.

    Args:
        scores: (N, C) before softmax.
        labels: (N, C) probabilities.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return functional.cross_entropy(scores, labels.to(scores))
