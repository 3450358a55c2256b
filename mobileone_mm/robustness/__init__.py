"""Scores of ImageNet classifiers on the sets that show how robust they are."""
