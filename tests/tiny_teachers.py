"""Tiny teachers of timm and of mmpretrain with random weights in files, and what they say, computed by other code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobileone_mm.weights.checkpoint import save_checkpoint

TIMM, MMPRETRAIN = 'test_resnet.r160_in1k', 'mobilenet-v2_8xb32_in1k'
TIMM_OF_ONE_SIZE = 'test_vit.r160_in1k'
MISSING = 'timm is not installed: it comes with the extra distillation'
SPREAD = 3.0  # standard deviation of the logits
# Of the channels red, green, blue, 0..255: as timm's card of this model and mmpretrain's config have them.
NORMALISED = {
    TIMM: ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    MMPRETRAIN: ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}


def network(name: str) -> nn.Module:
    """A network by its name, with fresh weights, in eval mode."""
    if name == MMPRETRAIN:
        from mmpretrain.apis import get_model

        return get_model(name).eval()  # type: ignore[no-any-return]
    return pytest.importorskip('timm', reason=MISSING).create_model(name).eval()  # type: ignore[no-any-return]


def write_teacher(name: str, folder: Path, seed: int = 0) -> dict[str, str]:
    """The config of a teacher whose random weights are written to a file: statistics, and logits that spread."""
    torch.manual_seed(seed)
    net = network(name)
    noise = torch.randn(8, 3, 64, 64)
    if name != TIMM_OF_ONE_SIZE:
        with torch.no_grad():
            for norm in net.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    norm.momentum = None  # the plain mean over what comes
            net.train()(noise)
            logits = net.eval()(noise)
            last = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
            last.weight.mul_(SPREAD / logits.std())
            last.bias.zero_()
    path = folder / f'{name}.pth'
    save_checkpoint(path, net.state_dict(), None)
    return {'name': f'{"mmpretrain" if name == MMPRETRAIN else "timm"}:{name}', 'checkpoint': str(path)}


def said_by(teacher: Mapping[str, Any], pictures: np.ndarray) -> Tensor:
    """Its softmax (N, C) of uint8 pictures (N, H, W, 3) in blue, green, red; all in float64."""
    name = teacher['name'].partition(':')[2]
    net = network(name)
    net.load_state_dict(torch.load(teacher['checkpoint'], weights_only=True))  # noqa: TID251 - not by what is tested
    mean, std = NORMALISED[name]
    normalised = (pictures[..., ::-1].astype(np.float64) - mean) / std
    with torch.no_grad():
        logits = net.double()(torch.from_numpy(normalised.transpose(0, 3, 1, 2).copy()))
    powers = (logits - logits.max(dim=1, keepdim=True).values).exp()
    return powers / powers.sum(dim=1, keepdim=True)


@pytest.fixture(scope='session')
def teachers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Configs of two teachers, one of timm and one of mmpretrain."""
    pytest.importorskip('timm', reason=MISSING)
    folder = tmp_path_factory.mktemp('teachers')
    return [write_teacher(name, folder, seed) for seed, name in enumerate((TIMM, MMPRETRAIN))]
