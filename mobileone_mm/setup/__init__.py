"""A config from a folder of own data: what the folder holds, what follows from it, and the text that says so."""
