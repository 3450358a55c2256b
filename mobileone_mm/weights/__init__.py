"""One checkpoint, from its bytes to a filled model."""
