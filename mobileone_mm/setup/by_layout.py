"""The config for a folder of own data, whatever it holds."""

import logging
from dataclasses import replace
from pathlib import Path

from mobileone_mm.setup import classifier, detector, segmenter
from mobileone_mm.setup.folder import look
from mobileone_mm.setup.layouts import CLASSES, MASKS
from mobileone_mm.setup.proposal import Proposal, Wishes, draft_of

LOGGER = logging.getLogger(__name__)


def propose(root: str, wishes: Wishes) -> Proposal:
    """Look into a folder, and say what a careful person would train on it with; what was taken for granted is logged.

    Args:
        root: the folder, as its path shall stand in the config.
        wishes: what is asked for, whatever it holds.

    Raises:
        UsageError: there is no such folder, or a wish does not fit it.
        DataError: it holds no set that we know, a part of one, or more than one; or the set cannot be read.
    """
    found = look(Path(root))
    for note in found.notes:
        LOGGER.info(note)
    draft = draft_of(found, root, wishes)
    if found.template == MASKS:
        proposal = segmenter.propose(found, draft, wishes)
    elif found.template == CLASSES:
        proposal = classifier.propose(draft, wishes)
    else:
        proposal = detector.propose(draft, wishes)
    return replace(proposal, chosen=(*proposal.chosen, _start(wishes.variant)))


def _start(variant: str) -> str:
    """What the backbone starts from, in words."""
    return (
        f"MobileOne-{variant.upper()} with Apple's ImageNet weights, which the first training downloads, or "
        'those of a file: mobileone train --weights FILE'
    )
