"""Fixtures for the tests of distillation."""

from tiny_teachers import teachers  # noqa: F401 - a fixture
