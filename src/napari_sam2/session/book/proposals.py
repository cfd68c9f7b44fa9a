"""Divisions that somebody has to decide about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProposedDivision:
    """A division that was seen; the book knows nothing of it.

    Attributes
    ----------
    mother
        Who goes on as one of the daughters.
    daughter
        The other daughter; 0 if she is no object yet.
    frame_index
        First frame of the daughters.
    """

    mother: int
    daughter: int
    frame_index: int

    def renumbered(self, ids: Mapping[int, int]) -> ProposedDivision:
        """Return it with objects under new ids."""
        mother, daughter = (ids.get(one, one) for one in (self.mother, self.daughter))
        return ProposedDivision(mother, daughter, self.frame_index)
