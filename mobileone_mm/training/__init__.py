"""Training, as the command line shows it."""
