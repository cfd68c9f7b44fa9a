"""Channels of a movie that the model sees, and how each is shown. Pure values."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


GREY = "grey"


COLORS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """One channel of one layer.

    Attributes
    ----------
    layer_id
        Which layer.
    index
        Which of its channels; None if it has no axis of channels.
    title
        What people call it; another name makes it no other channel.
    """

    layer_id: Hashable
    index: int | None
    title: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Look:
    """How intensities become brightness.

    Attributes
    ----------
    limits
        What is black and what is white.
    gamma
        Exponent.
    invert
        Whether dark is shown as bright.
    """

    limits: tuple[float, float]
    gamma: float = 1.0
    invert: bool = False


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """One channel that the model sees.

    Attributes
    ----------
    color
        ``"grey"`` for one that is seen alone, else ``"red"``, ``"green"``, ``"blue"``.
    source
        Where it comes from.
    look
        A look of its own; None for that of its layer.
    """

    color: str
    source: ChannelSource
    look: Look | None = None
