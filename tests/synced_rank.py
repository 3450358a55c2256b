"""One of two ranks that share the statistics of blocks: RANK=0 WORLD_SIZE=2 ... python synced_rank.py GIVEN FOUND."""

import os
import sys

import torch

from mobileone_mm.models.backbones.block import MobileOneBlock


class AddingBlock(MobileOneBlock):
    """Normalises its branches together."""

    def _way(self, x: torch.Tensor) -> str:
        return 'adding'


torch.set_num_threads(1)
torch.distributed.init_process_group('gloo')
rank = int(os.environ['RANK'])
found = []
for given in torch.load(sys.argv[1], weights_only=True):  # noqa: TID251 - a file of this test
    kind = AddingBlock if given['way'] == 'adding' else MobileOneBlock
    impl = 'auto' if given['way'] == 'auto' else 'moments'
    block = kind(**given['block'], norm_cfg={'type': 'SyncBN'}, train_impl=impl).double()
    block.load_state_dict(given['state'])
    x = given['inputs'][rank].requires_grad_()
    out = block(x)
    (out * given['weights'][rank]).sum().backward()
    gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
    buffers = dict(block.named_buffers())
    found.append({'out': out.detach(), 'of_input': x.grad, 'gradients': gradients, 'buffers': buffers})
torch.save(found, sys.argv[2])
torch.distributed.destroy_process_group()
