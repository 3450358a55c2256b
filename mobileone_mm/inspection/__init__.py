"""What a config trains on, looked at before it is trained."""
