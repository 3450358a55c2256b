"""What configs build."""
