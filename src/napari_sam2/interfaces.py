"""The two borders of the tracker: frames come in, masklets go out.

`FrameSource` and `LabelStore` are all that `session` and `tracking` know of files.
This module imports numpy alone, so that every package may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from napari_sam2.tiles import TileLayout

Arrays = Mapping[str, "np.ndarray"]
"""Named arrays: the flat, file-friendly form of a memory bank snapshot."""


ABSENT_LOGIT = -1024.0
"""Logit, and object score, of what is not there: SAM 2's own number."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one frame and one pixel mean in the world.

    Attributes
    ----------
    scale, translation
        For ``(frame, y, x)``, in ``units``.
    units
        UDUNITS names such as ``("second", "micrometer", "micrometer")``; None where
        unknown.
    frame_axis
        ``"t"`` for a movie, ``"z"`` for a stack.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    units: tuple[str | None, str | None, str | None] = (None, None, None)
    frame_axis: str = "t"


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How objects are followed, besides by which weights, where, and in which numbers.

    Attributes
    ----------
    raw_masks
        Whether holes in masks are left as they are.
    one_component
        Whether one piece of each mask is kept; None as the weights are best followed.
    tiles
        Side in pixels of the tiles that objects are followed in; None for none.
    region
        The one part of the frames that is looked at, ``(y, x, height, width)``; None
        for all of it.
    hard_cases
        Names of what makes the movie difficult.
    """

    raw_masks: bool = False
    one_component: bool | None = None
    tiles: int | None = None
    region: tuple[int, int, int, int] | None = None
    hard_cases: tuple[str, ...] = ()


@runtime_checkable
class FrameSource(Protocol):
    """A movie (or a z-stack) as a sequence of 2D frames, never held as a whole."""

    @property
    def frame_count(self) -> int:
        """Number of frames."""

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""

    @property
    def calibration(self) -> Calibration:
        """Physical scale, for the labels."""

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description: path, axes, selection, intensity mapping."""

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB."""

    def close(self) -> None:
        """Release files and threads; reading afterwards is an error."""


@runtime_checkable
class ReadsAhead(Protocol):
    """A frame source that has some frames before they are asked for."""

    def peek(self, frame_index: int) -> np.ndarray | None:
        """Return a frame that was read ahead, without waiting; None where none was."""


@dataclass(frozen=True, slots=True, eq=False)
class DivisionEvidence:
    """What speaks for a division in the raw masks of objects.

    Taken before any rule cuts a mask down to one component. NaN where an object was not
    tracked: what people prompted is no evidence.

    Attributes
    ----------
    raw_area
        ``(…, objects)`` float32, area in pixels of the frame, all components together.
    second_part
        ``(…, objects)`` float32 in 0…1, area of the second largest component as a share
        of the largest.
    sister_iou
        ``(…, objects)`` float32 in 0…1, predicted IoU of the best candidate mask of
        like size that lies apart from the object; 0 without one.
    sister_y, sister_x
        ``(…, objects)`` float32, centre in pixels of the frame of the second component,
        else of that candidate; NaN without. Of a mask that was cut down to one, of the
        largest that was cut off.
    """

    raw_area: np.ndarray
    second_part: np.ndarray
    sister_iou: np.ndarray
    sister_y: np.ndarray
    sister_x: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class ObjectScores:
    """How sure the network was, for the objects of one frame.

    Attributes
    ----------
    object_score
        ``(objects,)`` float32 presence logit; above 0 the object is there.
    predicted_iou
        ``(objects,)`` float32 in 0…1, the network's own estimate.
    stability
        ``(objects,)`` float32 in 0…1, area at logit > +1 over area at logit > −1.
    area
        ``(objects,)`` int64, pixels of the label image.
    division
        What speaks for divisions; None where nothing is known of that.
    """

    object_score: np.ndarray
    predicted_iou: np.ndarray
    stability: np.ndarray
    area: np.ndarray
    division: DivisionEvidence | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """What one step of the tracker leaves behind.

    Attributes
    ----------
    labels
        ``(Y, X)`` unsigned integer label image of *all* objects of this frame.
    object_ids
        Objects that were computed in this step, in row order.
    logits
        ``(objects, h, w)`` float32 low-resolution mask logits of these objects.
    image
        ``(Y, X)`` intensities in the movie's own units, which the objects' means are
        taken of; None where they are not at hand.
    tiles
        ``(objects,)`` integer, the tile that each logit map covers, see `TileLayout`;
        None where all cover the frame.
    """

    frame_index: int
    labels: np.ndarray
    object_ids: tuple[int, ...]
    logits: np.ndarray
    scores: ObjectScores
    image: np.ndarray | None = None
    tiles: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StoredAnchor:
    """What a person saw on an anchor, enough to replay it without predicting again.

    Attributes
    ----------
    logits
        ``(h, w)`` float32 low-resolution mask logits.
    pointer
        ``(C,)`` float32 object pointer.
    tile
        Number of the tile that the logits cover, see `TileLayout`.
    """

    object_id: int
    frame_index: int
    logits: np.ndarray
    pointer: np.ndarray
    object_score: float
    predicted_iou: float
    tile: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a propagation had come when the store was last made whole.

    Attributes
    ----------
    walk
        Number of the walk in the plan (0, 1, …).
    next_frame
        First frame of that walk which is not yet whole on disk; None at its end.
    plan_key
        Hash of everything that decides the result (prompts, model, precision,
        mapping, ranges): a run resumes only onto an equal key.
    """

    walk: int
    next_frame: int | None
    plan_key: str


class LabelStore(Protocol):
    """Where masklets go. Writes become durable, and resumable, at `commit`."""

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` of the label images."""

    @property
    def logits_shape(self) -> tuple[int, int]:
        """``(h, w)`` of the low-resolution logits."""

    @property
    def layout(self) -> TileLayout:
        """Where the tiles lie that the logits cover."""

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects that have, or may have, a result."""

    def write(self, result: FrameResult) -> None:
        """Store labels, logits and scores of one frame, replacing earlier ones."""

    def read_labels(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` label image; zeros where nothing was written."""

    def read_logits(
        self, frame_index: int, *, without: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Return ids and ``(objects, h, w)`` float32 logits stored for a frame.

        Only objects that have a result on the frame, in id order; ``without`` leaves
        some out.
        """

    def read_tiles(self, frame_index: int, object_ids: Sequence[int]) -> np.ndarray:
        """Return ``(objects,)`` integer, the tiles that stored logits cover."""

    def read_scores(self, frame_index: int) -> tuple[tuple[int, ...], ObjectScores]:
        """Return ids and scores of the objects that have a result on a frame."""

    def write_anchor(self, anchor: StoredAnchor) -> None:
        """Store what a person saw on an anchor."""

    def read_anchors(self) -> list[StoredAnchor]:
        """Return all stored anchors, by object and frame."""

    def commit(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Make all writes so far durable, then record that they are whole."""

    def read_progress(self) -> tuple[Progress, Arrays] | None:
        """Return what the last `commit` recorded, or None."""

    def mend(self) -> str | None:
        """Go back to the last commit before what is not on disk as it was written.

        Returns what people should be told; None if all is as it was written.
        """

    def finish(self) -> None:
        """Mark the run complete: drop the snapshot, build the pyramid if needed."""
