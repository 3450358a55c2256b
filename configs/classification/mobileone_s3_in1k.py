_base_ = 'mobileone_s2_in1k.py'
model = dict(backbone=dict(arch='s3'))
