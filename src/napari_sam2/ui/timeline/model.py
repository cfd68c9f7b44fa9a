"""What a timeline shows, and where: arithmetic of time and lanes, without a window."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self, TypeVar

import numpy as np

from napari_sam2.session.book.state import Color, ObjectState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

SHORTEST_SPAN = 8.0
"""Frames that are visible at the strongest zoom."""

Places = TypeVar("Places", float, np.ndarray)

HANDLE_REACH = 5
"""Pixels on either side of a range marker that still take hold of it."""


@dataclass(frozen=True, slots=True)
class TimeView:
    """The part of the movie that is stretched over some pixels.

    Attributes
    ----------
    width
        Pixels, at least 1.
    first
        Place of the left edge in frames; frame 7 lies between 7.0 and 8.0.
    span
        Number of visible frames.
    """

    frame_count: int
    width: int
    first: float
    span: float

    @classmethod
    def whole(cls, frame_count: int, width: int) -> Self:
        """Return the view of a whole movie."""
        frame_count = max(1, frame_count)
        return cls(frame_count, max(1, width), 0.0, float(frame_count))

    @property
    def frames_per_pixel(self) -> float:
        """Frames that share a pixel; under 1 where a frame has several."""
        return self.span / self.width

    @property
    def window(self) -> tuple[int, int]:
        """First visible frame, and the one behind the last."""
        stop = min(self.frame_count, int(np.ceil(self.first + self.span)))
        return min(int(self.first), self.frame_count - 1), stop

    def frame_at(self, x: float) -> int:
        """Return the frame at a pixel; beyond the movie its nearest frame."""
        frame = int(np.floor(self.first + x * self.frames_per_pixel))
        return min(max(frame, 0), self.frame_count - 1)

    def x_of(self, frame: Places) -> Places:
        """Return where a frame begins; of ``frame + 0.5``, where its middle is."""
        return (frame - self.first) / self.frames_per_pixel

    def zoomed(self, factor: float, x: float) -> TimeView:
        """Return a view that shows ``factor`` times closer what is at pixel ``x``."""
        shortest = min(SHORTEST_SPAN, self.frame_count)
        span = min(max(self.span / factor, shortest), self.frame_count)
        fixed = self.first + x * self.frames_per_pixel
        return self._at(fixed - x * span / self.width, span)

    def panned(self, pixels: float) -> TimeView:
        """Return a view whose content is moved to the right by so many pixels."""
        return self._at(self.first - pixels * self.frames_per_pixel, self.span)

    def resized(self, width: int) -> TimeView:
        """Return the same part of the movie on other pixels."""
        return replace(self, width=max(1, width))

    def showing(self, frame: int) -> TimeView:
        """Return the view itself, or the nearest one that has a frame in it."""
        margin = 0.1 * self.span
        if frame < self.first:
            return self._at(frame - margin, self.span)
        if frame + 1 > self.first + self.span:
            return self._at(frame + 1 + margin - self.span, self.span)
        return self

    def column_starts(self) -> np.ndarray:
        """Return ``(width,)`` the first frame that each pixel stands for.

        That is the one at the pixel's middle. It also stands for the frames up to the
        next pixel's first one, so that zooming out leaves no frame of the window out.
        """
        middles = self.first + (np.arange(self.width) + 0.5) * self.frames_per_pixel
        starts = np.minimum(middles.astype(np.int64), self.frame_count - 1)
        if self.frames_per_pixel >= 1:
            starts[0] = self.window[0]
        return starts

    def _at(self, first: float, span: float) -> TimeView:
        first = min(max(first, 0.0), self.frame_count - span)
        return replace(self, first=first, span=span)


def least_per_pixel(values: np.ndarray, view: TimeView) -> np.ndarray:
    """Return the smallest value of the frames behind each pixel.

    So a bad frame is seen however far away it is looked at from.

    Parameters
    ----------
    values
        ``(frames, lanes)`` float of the frames in the view's window; NaN is no value.

    Returns
    -------
    ``(width, lanes)``, NaN where no frame has a value.
    """
    starts = view.column_starts() - view.window[0]
    least: np.ndarray = np.fmin.reduceat(values, starts, axis=0)
    return least


def any_per_pixel(flags: np.ndarray, view: TimeView) -> np.ndarray:
    """Return ``(width, lanes)`` bool: a frame behind the pixel has the flag.

    Parameters
    ----------
    flags
        ``(frames, lanes)`` bool of the frames in the view's window.
    """
    starts = view.column_starts() - view.window[0]
    found: np.ndarray = np.logical_or.reduceat(flags, starts, axis=0)
    return found


def pixels_of(frames: FrameSet, view: TimeView) -> np.ndarray:
    """Return ``(width,)`` bool: a frame behind the pixel is in the set."""
    if not frames:
        return np.zeros(view.width, bool)
    runs = np.array(frames.runs)
    starts = view.column_starts()
    ends = np.append(np.maximum(starts[:-1] + 1, starts[1:]), view.window[1])
    from_pixel = np.searchsorted(ends, runs[:, 0], side="right")
    to_pixel = np.maximum(from_pixel, np.searchsorted(starts, runs[:, 1]))
    steps = np.zeros(view.width + 1, np.int64)
    np.add.at(steps, from_pixel, 1)
    np.add.at(steps, to_pixel, -1)
    covered: np.ndarray = np.cumsum(steps)[:-1] > 0
    return covered


def tick_step(view: TimeView, least_pixels: float) -> int:
    """Return 1, 2 or 5 times a power of ten: frames between two ticks of the ruler."""
    wanted = max(1.0, least_pixels * view.frames_per_pixel)
    power = 10 ** int(np.floor(np.log10(wanted)))
    return next(int(n * power) for n in (1, 2, 5, 10) if n * power >= wanted)


def _no_anchors() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One object's row in the timeline, as the book has it.

    Attributes
    ----------
    object_id, name
        Whose lane; the name is never empty.
    click_anchors, mask_anchors
        ``(anchors,)`` frames prompted by clicks or a box, and those on which a mask was
        drawn; ascending.
    locked, reviewed, stale, is_hidden, color
        As in `ObjectState`.
    """

    object_id: int
    name: str
    click_anchors: np.ndarray = field(default_factory=_no_anchors)
    mask_anchors: np.ndarray = field(default_factory=_no_anchors)
    locked: FrameSet = NO_FRAMES
    reviewed: FrameSet = NO_FRAMES
    stale: FrameSet = NO_FRAMES
    is_hidden: bool = False
    color: Color | None = None

    @property
    def anchors(self) -> list[int]:
        """Frames with a prompt of any kind, ascending."""
        return sorted((*self.click_anchors.tolist(), *self.mask_anchors.tolist()))


def lane_of(state: ObjectState) -> Lane:
    """Return the lane of an object."""
    drawn = [p.frame_index for p in state.prompts if p.mask is not None]
    clicked = [p.frame_index for p in state.prompts if p.mask is None]
    return Lane(
        object_id=state.object_id,
        name=state.name or f"object {state.object_id}",
        click_anchors=np.array(clicked, np.int64),
        mask_anchors=np.array(drawn, np.int64),
        locked=state.locked,
        reviewed=state.reviewed,
        stale=state.stale,
        is_hidden=state.is_hidden,
        color=state.color,
    )


def spaced(anchors: np.ndarray, view: TimeView, least: float) -> np.ndarray:
    """Return pixels of the visible anchors, at most one in ``least`` pixels."""
    first, stop = view.window
    begin, end = np.searchsorted(anchors, (first, stop))
    places: np.ndarray = view.x_of(anchors[begin:end] + 0.5)
    _, chosen = np.unique(places // least, return_index=True)
    return places[chosen]


class Part(Enum):
    """What lies under the mouse."""

    RULER = "ruler"
    RANGE_FIRST = "range first"
    RANGE_LAST = "range last"
    NAME = "name"
    LANE = "lane"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies at a point, on which frame, and on which lane if any."""

    part: Part
    frame: int
    lane: int | None = None


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where everything lies in a timeline, in pixels.

    Attributes
    ----------
    view
        Of the part right of the names.
    scroll
        Pixels of lanes that are scrolled away above.
    """

    view: TimeView
    names_width: int
    ruler_height: int
    lane_height: int
    lane_count: int
    scroll: int = 0

    def lane_top(self, lane: int) -> int:
        """Return where a lane begins."""
        return self.ruler_height + lane * self.lane_height - self.scroll

    def lane_at(self, y: float) -> int | None:
        """Return the lane at a height, None above and below all."""
        if y < self.ruler_height:
            return None
        lane = int((y - self.ruler_height + self.scroll) // self.lane_height)
        return lane if lane < self.lane_count else None

    def visible_lanes(self, height: int) -> range:
        """Return the lanes of which something is visible in a window of some height."""
        room = height - self.ruler_height
        if room <= 0:
            return range(0)
        first = self.scroll // self.lane_height
        stop = -((-self.scroll - room) // self.lane_height)
        return range(min(first, self.lane_count), min(stop, self.lane_count))

    def hit(self, x: float, y: float, marked: tuple[int, int]) -> Hit:
        """Return what lies at a point.

        Parameters
        ----------
        x, y
            In pixels of the whole timeline.
        marked
            First and last frame of the marked range, whose handles are in the ruler.
        """
        across = x - self.names_width
        frame = self.view.frame_at(across)
        if y >= self.ruler_height:
            lane = self.lane_at(y)
            if lane is None:
                return Hit(Part.NOTHING, frame)
            return Hit(Part.NAME if across < 0 else Part.LANE, frame, lane)
        # Where both are in reach, the nearer one; on one place, that of the free side.
        first, last = self.view.x_of(marked[0]), self.view.x_of(marked[1] + 1)
        reach, part = min(
            (abs(across - first), Part.RANGE_FIRST),
            (abs(across - last), Part.RANGE_LAST),
            key=lambda found: found[0],
        )
        if reach <= HANDLE_REACH:
            return Hit(part, frame)
        return Hit(Part.NOTHING if across < 0 else Part.RULER, frame)
