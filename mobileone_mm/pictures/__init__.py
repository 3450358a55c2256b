"""Picture files and arrays, and drawing on them."""
