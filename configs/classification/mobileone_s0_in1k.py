# The paper's recipe, from scratch: no weights to begin with.
_base_ = ['../_base_/mobileone_classifier.py', '../_base_/imagenet_recipe.py']
