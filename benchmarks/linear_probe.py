"""What a classifier's data give without training the backbone: a logistic regression on its frozen features.

    python benchmarks/linear_probe.py benchmarks/flowers5.py

Features are those that the config's model begins with, of the training and the validation pictures as its test pipeline
reads them. How strong the regression is held back (C) is tried out on the validation pictures, in the probe's favour.
"""

import argparse
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mobileone_mm.openmmlab.configs import quiet
from mobileone_mm.reparam import fuse

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def main() -> int:
    """Read the features, fit, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    config = Config.fromfile(parser.parse_args().config)
    init_default_scope(config.default_scope)
    with quiet():
        model = MODELS.build(config.model)
        model.init_weights()
    model = fuse(model.eval())
    train = {**config.val_dataloader, 'dataset': {**config.train_dataloader.dataset, 'pipeline': config.test_pipeline}}
    known, labels = _features(model, train)
    unknown, truth = _features(model, config.val_dataloader)
    print(f'{len(labels)} training and {len(truth)} validation pictures, {known.shape[1]} features')
    for strength in STRENGTHS:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(known, labels)
        print(f'C {strength:<8g} top1 {100 * probe.score(unknown, truth):.2f}')
    return 0


@torch.no_grad()
def _features(model: Any, dataloader: dict[str, Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pooled features (N, C) of a loader's pictures, and their labels (N)."""
    features, labels = [], []
    for batch in Runner.build_dataloader(dataloader):
        batch = model.data_preprocessor(batch)
        features.append(model.extract_feat(batch['inputs'])[-1])
        labels += [int(sample.gt_label) for sample in batch['data_samples']]
    return torch.cat(features).numpy(), np.array(labels)


if __name__ == '__main__':
    raise SystemExit(main())
