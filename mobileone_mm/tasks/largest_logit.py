"""The rules of tasks in which the class with the largest logit is chosen, and nothing else can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from mobileone_mm.artifact.card import Card
from mobileone_mm.errors import UsageError


@dataclass(frozen=True)
class Rules:
    """How logits become classes: by the largest one; there is nothing to choose."""


def rules_of(_config: Config) -> Rules:
    """How a config's model is tested."""
    return Rules()


def rules_of_card(_card: Card) -> Rules:
    """How an artifact chooses."""
    return Rules()


def changed(given: str, rules: Rules, values: Mapping[str, Any]) -> Rules:
    """The rules of a model, `given` in words ('a segmenter'), if nothing is to be changed.

    Raises:
        UsageError: a value was given.
    """
    for name in values:
        raise UsageError(f'`{name}`: for detectors, {given} given; leave it out')
    return rules
