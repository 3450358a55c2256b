"""Scores by a config's own metric."""
