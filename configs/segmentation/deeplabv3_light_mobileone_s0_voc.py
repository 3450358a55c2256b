# For phones: a separable ASPP of 128 channels instead of a dense one of 512, with the same rates. Not in the paper.
_base_ = 'deeplabv3_mobileone_s0_voc.py'
model = dict(decode_head=dict(type='DepthwiseSeparableASPPHead', channels=128, c1_in_channels=0, c1_channels=0))
