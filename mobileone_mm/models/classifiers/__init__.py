"""Classifiers that mmpretrain trains."""
