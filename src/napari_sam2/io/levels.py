"""The resolution levels of an image: which one is the finest."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TypeVar

Level = TypeVar("Level")


def finest_first(levels: Iterable[tuple[tuple[int, ...], Level]]) -> list[Level]:
    """Return levels by their number of pixels: not everybody lists the finest first.

    Parameters
    ----------
    levels
        The shape of each level's array, and the level.
    """
    found = sorted(levels, key=lambda level: prod(level[0]), reverse=True)
    return [level for _, level in found]
