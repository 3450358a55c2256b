"""What configs read."""
