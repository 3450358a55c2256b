"""A training while it runs, on one page."""
