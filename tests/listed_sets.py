"""Data sets as mmengine shows them, without files, and what may be wrapped around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CLASSES = ('cat', 'dog', 'bird')


@dataclass(frozen=True)
class Listed:
    """A data set as mmengine shows it: an entry an image."""

    entries: Sequence[Mapping[str, Any]]
    metainfo: Mapping[str, Any] = field(default_factory=lambda: {'classes': CLASSES})

    def __len__(self) -> int:
        return len(self.entries)

    def get_data_info(self, index: int) -> Mapping[str, Any]:
        return self.entries[index]


@dataclass(frozen=True)
class Repeated:
    dataset: Any

    @property
    def metainfo(self) -> Mapping[str, Any]:
        return self.dataset.metainfo  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Joined:
    datasets: Sequence[Any]

    @property
    def metainfo(self) -> Mapping[str, Any]:
        return self.datasets[0].metainfo  # type: ignore[no-any-return]
