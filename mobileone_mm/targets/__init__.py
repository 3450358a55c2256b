"""What a model is exported to: one folder a format."""
