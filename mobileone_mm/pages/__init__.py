"""Self-contained pages: one HTML file each, which loads nothing from elsewhere."""
