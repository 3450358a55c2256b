"""The published sizes of MobileOne as data.

Source: apple/ml-mobileone `mobileone.py`, which has the paper's stages 4 and 5 (table 7) as one.
"""

from typing import Any

BASE_CHANNELS = (64, 128, 256, 512)  # times width_factor, stages 1-4
STEM_MAX_CHANNELS = 64


def _variant(width_factor: list[float], k: int = 1, num_se_blocks: list[int] | None = None) -> dict[str, Any]:
    return {
        'num_blocks': [2, 8, 10, 1],
        'width_factor': width_factor,
        'num_conv_branches': [k] * 4,
        'num_se_blocks': num_se_blocks or [0] * 4,
    }


ARCHITECTURES = {
    's0': _variant([0.75, 1.0, 1.0, 2.0], k=4),
    's1': _variant([1.5, 1.5, 2.0, 2.5]),
    's2': _variant([1.5, 2.0, 2.5, 4.0]),
    's3': _variant([2.0, 2.5, 3.0, 4.0]),
    's4': _variant([3.0, 3.5, 3.5, 4.0], num_se_blocks=[0, 0, 5, 1]),
}
