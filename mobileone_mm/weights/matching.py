"""Whether a file's entries are those that a model has, and the words for how they are not."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mobileone_mm.errors import CheckpointError
from mobileone_mm.models.backbones.base import BlockBackbone
from mobileone_mm.weights.names import Weights, listed, name_of

HOST_CLASSIFIER = ('head.fc.weight', 'head.fc.bias')  # mmpretrain's name for the linear layer
REAL_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # of floating-point numbers
HEADS = ('bbox_head', 'decode_head', 'head')  # what mm hosts call the part that knows the classes


def backbone_prefix(model: nn.Module) -> str | None:
    """'' for a MobileOne, 'backbone.' in an mm model, None where there is none."""
    names = [name for name, module in model.named_modules() if isinstance(module, BlockBackbone)]
    return f'{names[0]}.'.lstrip('.') if names else None


def under_names_of(model: nn.Module, weights: Weights) -> dict[str, Tensor]:
    """All entries of a file under the names that `model` has for them.

    Only a classifier without a counterpart in the model is left out.
    """
    prefix = backbone_prefix(model) or ''
    state = {prefix + key: value for key, value in weights.backbone.items()} | weights.rest
    if HOST_CLASSIFIER[0] in model.state_dict():
        state |= {key.replace('linear', 'head.fc'): value for key, value in weights.classifier.items()}
    return state


def is_squeeze_excite(name: str) -> bool:
    """Whether a backbone's entry, under our name for it, belongs to a squeeze-excite."""
    return '.se.' in name


def faults(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """What keeps `given` from being loaded where `expected` is; empty where names, shapes and kinds of numbers agree.

    BN's batch counters may be missing: files from before torch 0.4.1 have none, and nothing is computed from them here.
    """
    missing = [key for key in expected if key not in given and not key.endswith('num_batches_tracked')]
    unexpected = [key for key in given if key not in expected]
    reshaped = [key for key in expected if key in given and expected[key].shape != given[key].shape]
    found = [f'missing {listed(missing)}'] * bool(missing) + [f'unexpected {listed(unexpected)}'] * bool(unexpected)
    if reshaped:
        first = reshaped[0]
        shapes = f'{tuple(given[first].shape)} given, {tuple(expected[first].shape)} expected'
        found.append(f'of another shape {listed(reshaped)}: {shapes}')
    retyped = [key for key in expected if key in given and _loses_fractions(expected[key], given[key])]
    if retyped:
        first = retyped[0]
        types = f'{name_of(given[first].dtype)} given, {name_of(expected[first].dtype)} expected'
        found.append(f'of another type {listed(retyped)}: {types}')
    return found


def _loses_fractions(expected: Tensor, given: Tensor) -> bool:
    return expected.is_floating_point() and not given.is_floating_point()


def spoilt(given: Mapping[str, Tensor]) -> list[str]:
    """What no model can compute with, and where: NaN, what is infinite in float32, a negative variance."""
    real = {key: value for key, value in given.items() if value.is_floating_point()}
    endless = [key for key, value in real.items() if not value.float().isfinite().all()]
    negative = [key for key, value in real.items() if key.endswith('running_var') and (value < 0).any()]
    return [f'NaN or infinity in {listed(endless)}'] * bool(endless) + [
        f'negative variances in {listed(negative)}'
    ] * bool(negative)


def require_dense(given: Mapping[str, Tensor], size: int) -> None:
    """Refuse tensors that are no arrays of real numbers, each with a place in the file.

    Args:
        given: entries by name.
        size: of the file, in bytes.

    Raises:
        CheckpointError: with the names of those that differ, and how.
    """
    odd: dict[str, list[str]] = {}
    for key, value in given.items():
        found = _oddity(value, size)
        if found:
            odd.setdefault(found, []).append(key)
    if odd:
        said = ', '.join(f'{listed(keys)} {found}' for found, keys in odd.items())
        raise CheckpointError(f'{said}; expected dense tensors of real numbers: save them so where they were made')


def _oddity(value: Tensor, size: int) -> str | None:
    if value.is_meta:
        return 'without data'
    if value.is_quantized:
        return 'quantised'
    if value.layout != torch.strided or value.is_nested:
        return 'sparse'
    if value.is_complex() or (value.is_floating_point() and value.dtype not in REAL_TYPES):
        return name_of(value.dtype)
    # A view may repeat one number 2**50 times, which whoever copies it finds out.
    stored = value.untyped_storage().nbytes()
    return 'larger than what is stored of them' if value.nbytes > stored or stored > size else None


def class_counts(model: nn.Module, classes: Sequence[str] | None, classifier_rows: int | None) -> list[str]:
    """One sentence where file and model are known to have different numbers of classes, else none.

    Args:
        model: of the config.
        classes: names that the file gives.
        classifier_rows: of a linear classifier in the file, which tells where the model has one too.
    """
    given = len(classes) if classes else None
    if given is None and HOST_CLASSIFIER[0] in model.state_dict():
        given = classifier_rows
    heads = [getattr(model, name, None) for name in HEADS]
    wanted = next((head.num_classes for head in heads if head is not None and hasattr(head, 'num_classes')), None)
    if given is None or wanted is None or given == wanted:
        return []
    return [f'the file has {given} classes, the config {wanted}']
