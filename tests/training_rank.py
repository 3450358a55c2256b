"""One of two ranks that train together on the CPU: RANK=0 WORLD_SIZE=2 ... python training_rank.py CONFIG OUT.npz."""

import sys

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner

torch.set_num_threads(1)
# mmengine's own start-up asks for a CUDA device, so the group has to be there before it.
torch.distributed.init_process_group('gloo')
config = Config.fromfile(sys.argv[1])
config.launcher = 'pytorch'
config.model_wrapper_cfg = {'type': 'MMDistributedDataParallel', 'device_ids': None}
runner = Runner.from_cfg(config)
runner.train()
np.savez(sys.argv[2], **{name: value.numpy() for name, value in runner.model.module.state_dict().items()})
