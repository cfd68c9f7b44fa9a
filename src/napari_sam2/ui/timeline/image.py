"""Lanes of a timeline as one picture: numpy in, RGBA out, no drawing per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import trust_colors
from napari_sam2.ui.timeline.model import (
    Lane,
    TimeView,
    any_per_pixel,
    least_per_pixel,
    pixels_of,
)

STALE_STRENGTH = 0.35
HIDDEN_STRENGTH = 0.4
BED_STRENGTH = 0.07
"""How much of its colour a lane keeps."""

HATCH = 5
"""Pixels between the stripes of a lock."""


@dataclass(frozen=True, slots=True)
class LaneStyle:
    """Colours and sizes of lanes.

    Attributes
    ----------
    background, text, selected
        ``(r, g, b)`` in 0…255 from the window's palette.
    height
        Pixels of a lane.
    scale
        Pixels of the screen for each of ours; lines are so many wide.
    """

    background: tuple[int, int, int]
    text: tuple[int, int, int]
    selected: tuple[int, int, int]
    height: int
    scale: int = 1

    @property
    def band(self) -> slice:
        """Rows of a lane that show trust."""
        return slice(3 * self.scale, self.height - 5 * self.scale)

    @property
    def line(self) -> slice:
        """Rows in the middle, which show that the object is known to be absent."""
        middle = (self.band.start + self.band.stop) // 2
        return slice(middle - self.scale // 2, middle - self.scale // 2 + self.scale)

    @property
    def ticks(self) -> slice:
        """Rows under the band, which show that a frame was reviewed."""
        return slice(self.height - 4 * self.scale, self.height - 2 * self.scale)

    def mixed(self, share: float) -> np.ndarray:
        """Return a colour between background (0) and text (1)."""
        ends = np.array([self.background, self.text], np.float32)
        return _mix(ends[0], ends[1], share)


def lane_picture(
    lanes: Sequence[Lane],
    tables: ScoreTables | None,
    view: TimeView,
    style: LaneStyle,
    selected: frozenset[int] = frozenset(),
) -> np.ndarray:
    """Return the picture of some lanes, one below the other.

    Parameters
    ----------
    lanes
        Those that are to be seen.
    tables
        Presence and trust; None if nothing is known yet.
    view
        What part of the movie, and how wide.
    style, selected
        Colours, and objects whose lanes stand out.

    Returns
    -------
    ``(lanes × height, width, 4)`` uint8 RGBA.
    """
    count, width = len(lanes), view.width
    ground = _grounds(lanes, style, selected)
    trust, present, computed = _known(lanes, tables, view)
    band = _band_colors(lanes, trust, ground, view)
    # A pixel is one number, so that a row of a lane is copied at once.
    picture = np.empty((count, style.height, width), np.uint32)
    picture[...] = packed(ground)[:, None, None]
    bed = packed(_mix(ground, style.mixed(1), BED_STRENGTH))
    picture[:, style.band] = np.where(present, packed(band), bed[:, None])[:, None]
    absent = (computed & ~present)[:, None]
    np.copyto(picture[:, style.line], packed(style.mixed(0.55)), where=absent)
    _hatch(picture[:, style.band], _pixels(lanes, "locked", view), style)
    reviewed = _pixels(lanes, "reviewed", view)[:, None]
    np.copyto(picture[:, style.ticks], packed(style.mixed(0.9)), where=reviewed)
    return picture.view(np.uint8).reshape(count * style.height, width, 4)


def packed(colors: np.ndarray) -> np.ndarray:
    """Return colours ``(…, 3)`` in 0…255 as ``(…)`` uint32, whose bytes are RGBA."""
    rgba = np.full((*colors.shape[:-1], 4), 255, np.uint8)
    rgba[..., :3] = colors
    return rgba.view(np.uint32)[..., 0]


def _grounds(
    lanes: Sequence[Lane], style: LaneStyle, selected: frozenset[int]
) -> np.ndarray:
    """Return ``(lanes, 3)`` float32 colours on which the lanes are drawn."""
    colors = [
        style.selected if lane.object_id in selected else style.background
        for lane in lanes
    ]
    return np.array(colors, np.float32).reshape(len(lanes), 3)


def _band_colors(
    lanes: Sequence[Lane], trust: np.ndarray, ground: np.ndarray, view: TimeView
) -> np.ndarray:
    """Return ``(lanes, width, 3)`` colours of trust, pale where it is out of date."""
    strength = np.where(_pixels(lanes, "stale", view), STALE_STRENGTH, 1.0)
    hidden = np.array([lane.is_hidden for lane in lanes], bool)
    strength[hidden] *= HIDDEN_STRENGTH
    strength = strength[..., None].astype(np.float32)
    return _mix(ground[:, None], trust_colors(trust), strength)


def _known(
    lanes: Sequence[Lane], tables: ScoreTables | None, view: TimeView
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``(lanes, width)`` least trust, presence, and whether it is known."""
    trust = np.full((len(lanes), view.width), np.nan, np.float32)
    present, computed = np.zeros((2, len(lanes), view.width), bool)
    if tables is None:
        return trust, present, computed
    known = [row for row, x in enumerate(lanes) if x.object_id in tables.columns]
    columns = [tables.columns[lanes[row].object_id] for row in known]
    if not columns:
        return trust, present, computed
    window = slice(*view.window)
    there = tables.presence()[window][:, columns]
    values = np.where(there, tables.trust()[window][:, columns], np.nan)
    trust[known] = least_per_pixel(values, view).T
    present[known] = any_per_pixel(there, view).T
    computed[known] = any_per_pixel(tables.computed()[window][:, columns], view).T
    return trust, present, computed


def _pixels(lanes: Sequence[Lane], name: str, view: TimeView) -> np.ndarray:
    rows = [pixels_of(getattr(lane, name), view) for lane in lanes]
    return np.array(rows, bool).reshape(len(lanes), view.width)


def _hatch(band: np.ndarray, locked: np.ndarray, style: LaneStyle) -> None:
    """Draw stripes over the ``(lanes, rows, width)`` bands of locked frames."""
    if not locked.any():
        return
    y, x = np.ogrid[: band.shape[1], : band.shape[2]]
    stripe = (x + y) % (HATCH * style.scale) < style.scale
    np.copyto(band, packed(style.mixed(1)), where=stripe & locked[:, None])


def _mix(below: np.ndarray, above: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    result: np.ndarray = below + (above - below) * share
    return result
