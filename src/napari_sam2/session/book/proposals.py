"""Divisions that somebody has to decide about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from napari_sam2.prompts import FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.tracking.division_evidence import LIKE_SIZE


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
    places: tuple[tuple[float, float], tuple[float, float]] | None = None

    def renumbered(self, ids: Mapping[int, int]) -> ProposedDivision:
        """Return it with objects under new ids."""
        mother, daughter = (ids.get(one, one) for one in (self.mother, self.daughter))
        return replace(self, mother=mother, daughter=daughter)


def daughters_of(
    proposed: ProposedDivision, mask: np.ndarray, new_ids: tuple[int, int]
) -> tuple[FramePrompt, FramePrompt]:
    """Return what both daughters are on their first frame where neither is an object.

    Each gets the pixels of the mother that are nearer to her place. Where these are not
    of like size, the mother is followed as one of them, who gets all of her mask; the
    other one gets a click at her place.

    Parameters
    ----------
    proposed
        With places.
    mask
        ``(Y, X)`` bool, what the mother is on that frame.
    new_ids
        Free ids.

    Raises
    ------
    ValueError
        If nobody knows where they are.
    """
    if proposed.places is None:
        raise ValueError("a division without places has no daughters to prompt")
    rows, columns = np.nonzero(mask)
    ways = [np.hypot(rows - y, columns - x) for y, x in proposed.places]
    is_second = ways[1] < ways[0]
    counts = [int(np.count_nonzero(~is_second)), int(np.count_nonzero(is_second))]
    is_both = min(counts) >= LIKE_SIZE * max(counts)
    prompts = []
    for number, place in enumerate(proposed.places):
        at = (new_ids[number], proposed.frame_index)
        own = (is_second if number else ~is_second) | (not is_both)
        half = np.zeros_like(mask)
        half[rows[own], columns[own]] = True
        if is_both or number == int(np.argmax(counts)):
            prompts.append(FramePrompt(*at, mask=MaskPrompt(half)))
        else:
            prompts.append(FramePrompt(*at, (PointPrompt(*place),)))
    return prompts[0], prompts[1]
