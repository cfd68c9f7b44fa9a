"""What the worker does for the dock *SAM 2 Train*, and what it says. Nothing of Qt.

torch, and everything that needs it, is imported when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from napari_sam2.generators import WithResult
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.training.tracked_movie import tracked_frames
from napari_sam2.io.training.vouched import MaskletSession, read_vouched
from napari_sam2.session.book.state import ObjectState
from napari_sam2.session.planning.frame_set import FrameSet
from napari_sam2.ui.model.devices import import_torch
from napari_sam2.ui.model.files import ModelsListed, list_models


@dataclass(frozen=True, slots=True)
class MaskletRow:
    """A masklet of a session.

    Attributes
    ----------
    tracked, locked, reviewed
        On how many frames.
    """

    object_id: int
    name: str
    tracked: int
    locked: int
    reviewed: int

    @property
    def is_verified(self) -> bool:
        """Whether a person vouched for any of its frames."""
        return bool(self.locked or self.reviewed)


@dataclass(frozen=True, slots=True)
class SessionListed:
    """The masklets of a session.

    Attributes
    ----------
    folder, label
        The OME-Zarr, and the label group in it.
    layer
        What the layer of its movie is called; empty if unknown.
    model
        Which model tracked; empty if unknown.
    rows
        All its masklets.
    """

    folder: Path
    label: str
    layer: str
    model: str
    rows: tuple[MaskletRow, ...]

    @property
    def session(self) -> tuple[Path, str]:
        """Folder and label group: which session it is."""
        return self.folder, self.label


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """What a person wants to be trained.

    Attributes
    ----------
    objects
        Masklets that teach.
    array
        Pixels of the movie's layer; None reads the movie from the disk.
    base, name
        The model to start from, and what the new one is called.
    """

    folder: Path
    label: str
    objects: tuple[int, ...]
    array: Any
    base: str
    name: str
    minutes: float


@dataclass(frozen=True, slots=True)
class TrainStep:
    """Where the training is, see `napari_sam2.train.fine_tuning.fine_tune`."""

    doing: str
    step: int
    seconds_left: float | None
    done: float
    loss: float | None
    held_out: float | None


@dataclass(frozen=True, slots=True)
class TrainOutcome:
    """What came of it, see `napari_sam2.train.fine_tuning.fine_tune.FineTuneResult`."""

    sentence: str
    before: float
    after: float
    path: Path | None
    card: str


def list_session(folder: Path, label: str) -> Iterator[SessionListed]:
    """Read which masklets there are.

    Raises
    ------
    OutputError
        If the folder holds no masklets.
    """
    store = OmeZarrLabelStore.open(folder, label, "r")
    document = store.read_session()
    tracked = tracked_frames(store)
    rows = tuple(
        _row(state, tracked.get(state.object_id, FrameSet()))
        for state in document.book.objects
    )
    model = "" if document.model is None else document.model.name
    yield SessionListed(folder, label, document.image.layer or "", model, rows)


def _row(masklet: ObjectState, tracked: FrameSet) -> MaskletRow:
    """Count the frames that teach: locks reach beyond what was tracked."""
    return MaskletRow(
        masklet.object_id,
        masklet.name,
        len(tracked),
        len(masklet.locked & tracked),
        len((masklet.locked | masklet.reviewed) & tracked),
    )


def run_order(
    order: TrainOrder, stopped: Event
) -> Iterator[TrainStep | TrainOutcome | ModelsListed]:
    """Train; the outcome comes near the end, then the new list of models.

    Parameters
    ----------
    stopped
        Once it is set, the training ends and the best so far is kept if it is better.

    Raises
    ------
    NapariSam2Error
        If there is too little to learn from, or something cannot be read or written.
    """
    yield TrainStep("Reading the masklets …", 0, 60 * order.minutes, 0.0, None, None)
    import_torch()
    from napari_sam2.train.fine_tuning.fine_tune import fine_tune
    from napari_sam2.train.fine_tuning.movie import TaughtMovie
    from napari_sam2.train.fine_tuning.plan import LARGEST_SIDE, FineTuneSettings

    session = MaskletSession(order.folder, order.objects, order.array, name=order.label)
    movie = TaughtMovie(*read_vouched(session, max_side=LARGEST_SIDE))
    settings = FineTuneSettings(order.name, order.minutes)
    steps = WithResult(
        fine_tune(order.base, [movie], settings, is_stopped=stopped.is_set)
    )
    for now in steps:
        yield TrainStep(
            now.doing, now.step, now.seconds_left, now.done, now.loss, now.held_out
        )
    result = steps.result
    yield TrainOutcome(
        result.sentence, result.before, result.after, result.path, result.card
    )
    yield from list_models()
