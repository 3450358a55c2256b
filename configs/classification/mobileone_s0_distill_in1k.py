# Distillation of a trained S0: docs/train.md, "Distillation".
_base_ = ['../_base_/mobileone_classifier.py', '../_base_/imagenet_distillation.py']
model = dict(
    type='mobileone_mm.DistilledClassifier',
    # MEAL V2's two at 224 px, which its own timm (0.2) called gluon_senet154 and gluon_resnet152_v1s.
    teachers=[dict(name='timm:senet154.gluon_in1k'), dict(name='timm:resnet152s.gluon_in1k')],
    # The student starts trained, as in MEAL V2: with Apple's weights, or those of your own mobileone_s0_in1k.
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_s0_unfused.pth.tar',
    ),
)
