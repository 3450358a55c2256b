"""Hostile tries of the commands: what is changed, how a try is run, and how it is judged."""
