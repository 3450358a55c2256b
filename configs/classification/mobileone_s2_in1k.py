_base_ = ['../_base_/mobileone_classifier.py', '../_base_/imagenet_recipe_augmented.py']
model = dict(backbone=dict(arch='s2'), head=dict(in_channels=2048))
