"""Neighbouring planes settle what they disagree on, plane by plane.

Each plane of a stack was tracked by itself. Two rules make one body of its sections:

- A pixel belongs to the object that the planes before and after it agree on; where they
  do not, to what its own plane says. Background has no vote, for bodies taper.
- What is left of an object on a plane goes where no plane beside it shows the object,
  unless the object is known to be no thicker than one plane.

Only a few planes are in memory, however many there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np


def settled(
    planes: Iterable[np.ndarray], thin: Collection[int]
) -> Iterator[np.ndarray]:
    """Yield the planes of a stack as they are after the vote.

    A stack whose objects are bodies without gaps in z comes out as it is. No object
    comes to a plane that it is on neither side of.

    Parameters
    ----------
    planes
        ``(Y, X)`` unsigned labels each, in the order of z.
    thin
        Objects that may be on a single plane.
    """
    return _supported(_agreed(planes), thin)


def _agreed(planes: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for before, own, after in _with_neighbours(planes):
        if before is None or after is None:
            yield own
        else:
            yield np.where((before == after) & (before > 0), before, own)


def _supported(
    planes: Iterable[np.ndarray], thin: Collection[int]
) -> Iterator[np.ndarray]:
    kept = np.array(sorted({0, *thin}), np.int64)
    for before, own, after in _with_neighbours(planes):
        beside = [np.unique(one) for one in (before, after) if one is not None]
        yield np.where(np.isin(own, np.concatenate([kept, *beside])), own, 0)


def _with_neighbours(
    planes: Iterable[np.ndarray],
) -> Iterator[tuple[np.ndarray | None, np.ndarray, np.ndarray | None]]:
    """Yield each plane between the one before and the one after, if there are."""
    before: np.ndarray | None = None
    own: np.ndarray | None = None
    for after in planes:
        if own is not None:
            yield before, own, after
        before, own = own, after
    if own is not None:
        yield before, own, None
