"""Losses that configs name: `mobileone_mm.CrossEntropyLoss`."""
