"""An export, and what is written beside it."""
