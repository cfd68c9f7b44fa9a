"""Divisions that somebody has to decide about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

Place = tuple[float, float]


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
    places
        ``(y, x)`` in pixels of the frame of both daughters there; None if unknown.
    """

    mother: int
    daughter: int
    frame_index: int
    places: tuple[Place, Place] | None = None

    def renumbered(self, ids: Mapping[int, int]) -> ProposedDivision:
        """Return it with objects under new ids."""
        mother, daughter = (ids.get(one, one) for one in (self.mother, self.daughter))
        return replace(self, mother=mother, daughter=daughter)
