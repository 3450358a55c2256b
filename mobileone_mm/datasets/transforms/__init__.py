"""Training pipelines in which pixels are touched once."""
