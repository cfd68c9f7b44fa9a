"""What is asked of the engine, and what it says. Values only; they cross threads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.interfaces import Calibration, TrackerSettings
from napari_sam2.io.label_store.tracks import TrackTable
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.session.scores.tables import ScoreRow, ScoreTables
from napari_sam2.session.scores.trust_model import TrustModel
from napari_sam2.session.session import FrameDone
from napari_sam2.tiles import Window
from napari_sam2.tracking.memory.budget import BudgetPlan

Tiles = Literal["auto", "native"] | int | None
"""How closely frames are looked at: in tiles as large as objects need, or as the
network's input, or of so many pixels; None for whole frames."""

ONLY_FORWARD, ONLY_BACKWARD = 1, 2
"""Pixels that one way alone gives to the object."""


@dataclass(frozen=True)
class Request:
    """What the panels of the dock say at the moment of an action.

    Attributes
    ----------
    model
        Name or path of the model.
    folder
        OME-Zarr that masklets go into.
    device, precision
        Where the model runs, in which numbers; ``"auto"`` or one of torch's.
    budget
        What objects may take on the device; None leaves it to the free memory.
    tiles
        How closely frames are looked at; masklets that are there keep their tiles.
    tracker
        How objects are followed in tiles and region; None as the masklets were, or as
        the model says.
    """

    image: ImageInput
    model: str
    folder: Path
    device: str = "auto"
    precision: str = "auto"
    budget: BudgetPlan | None = None
    tiles: Tiles = None
    tracker: TrackerSettings | None = None

    @cached_property
    def choices_key(self) -> Hashable:
        """Which masklets it is about, wherever they lie; contrast makes no others."""
        return self.image.movie_key, self.model, self.tiles

    @cached_property
    def masklets_key(self) -> Hashable:
        """Which masklets it is about, in which folder."""
        return self.choices_key, self.folder


@dataclass(frozen=True, slots=True)
class Said:
    """What came of something, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Busy:
    """What the worker does for a while, in words: true until it does something else."""

    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What people should know of their movie, said once, beside the next answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded.

    Attributes
    ----------
    name, device, precision
        What it is called, where it runs, in which numbers.
    trust
        How likely its masks are right, fitted on movies with known truth; None if it
        came without.
    """

    name: str
    device: str
    precision: str
    trust: TrustModel | None = None


@dataclass(frozen=True, slots=True)
class StoreReady:
    """Masklets are there to be shown.

    Attributes
    ----------
    read_labels
        Returns the ``(Y, X)`` labels of a frame from disk, in any thread, while the
        worker writes.
    """

    request: Request
    dtype: np.dtype
    read_labels: Callable[[int], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class FrameChanged:
    """The labels of a frame are new.

    Attributes
    ----------
    labels
        ``(Y, X)`` of all its objects; nobody changes them any more.
    """

    frame_index: int
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class FramesChanged:
    """The labels of many frames are new; who wants to see them reads them."""

    frames: FrameSet


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores and measurements of some objects on a frame are new."""

    row: ScoreRow


@dataclass(frozen=True, slots=True, eq=False)
class ScoresRead:
    """Scores and measurements of all frames were read."""

    tables: ScoreTables


@dataclass(frozen=True, slots=True)
class Warmed:
    """The embedding of a frame is ready."""

    frame_index: int


@dataclass(frozen=True, slots=True, eq=False)
class Hovered:
    """What a click would give, which was not made.

    Attributes
    ----------
    mask
        ``(Y, X)`` bool.
    """

    frame_index: int
    object_id: int
    mask: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Pictured:
    """A frame as the model sees it: ``(Y, X, 3)`` uint8."""

    frame_index: int
    picture: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class BookReturned:
    """A step was undone, or done again: the book has this state now."""

    text: str
    state: BookState


@dataclass(frozen=True, slots=True, eq=False)
class SessionRead:
    """A session was found in a folder.

    Attributes
    ----------
    calibration, shape
        Of its masklets, ``(T, Y, X)``.
    image
        ``(T, Y, X)`` movie that lies in the same folder, or None.
    region
        What the model looked at in each frame, ``(y, x, height, width)``; None for all.
    """

    folder: Path
    document: SessionDocument
    calibration: Calibration
    shape: tuple[int, ...]
    image: Any
    region: Window | None = None
    tracker: TrackerSettings = field(default_factory=TrackerSettings)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A frame was tracked forward, or backward, to be compared.

    Attributes
    ----------
    position, total
        How many steps are done, of how many.
    difference
        ``(Y, X)`` uint8: `ONLY_FORWARD`, `ONLY_BACKWARD`, 0 elsewhere. None as long as
        one of the two masks is not known.
    """

    frame_index: int
    position: int
    total: int
    difference: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class DirectionsCompared:
    """A gap was tracked both ways; one of them can be kept.

    Attributes
    ----------
    agreement
        J of the two masks by frame of the gap.
    """

    request: Request
    book: BookState
    object_id: int
    agreement: Mapping[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class TracksMade:
    """Where all objects went."""

    table: TrackTable


@dataclass(frozen=True, slots=True, eq=False)
class MasksFound:
    """Masks of everything on a frame that nobody follows yet.

    Attributes
    ----------
    labels
        ``(Y, X)``, 1 for the best mask, or the one that is most alike.
    likeness
        Of each mask to the object that more are sought of, 0…1; empty if none is.
    """

    frame_index: int
    labels: np.ndarray
    count: int
    likeness: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ObjectsFound:
    """The objects of a movie that nobody prompted.

    Attributes
    ----------
    objects
        With masks as prompts.
    proposals
        Divisions that were seen and are for people to decide.
    """

    objects: tuple[PromptedObject, ...]
    proposals: tuple[ProposedDivision, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DivisionsSeen:
    """Divisions that the scores of tracked objects speak for, by frame."""

    proposals: tuple[ProposedDivision, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A run was planned, or planned anew: what it writes now follows from this book."""

    book: BookState


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """Events that are told together: between them nothing is stopped or put first."""

    events: tuple[FrameChanged | Scored | FrameDone, ...]


Event = (
    Said
    | Busy
    | Remark
    | ModelReady
    | StoreReady
    | FrameChanged
    | FramesChanged
    | Scored
    | ScoresRead
    | SessionRead
    | Warmed
    | Hovered
    | BookReturned
    | Pictured
    | FrameDone
    | Followed
    | Compared
    | DirectionsCompared
    | TracksMade
    | MasksFound
    | ObjectsFound
    | DivisionsSeen
    | Together
)
