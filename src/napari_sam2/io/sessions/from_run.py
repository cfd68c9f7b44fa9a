"""A session made of a run that nobody saved one for: one of the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError
from scipy.ndimage import affine_transform

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.ome_zarr.metadata import LabelledObject
from napari_sam2.io.prompts.json_file import ObjectEntry, PromptEntry, PromptsDocument
from napari_sam2.io.sessions.document import InputMapping, ModelChoice, SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.state import BookState, ObjectState


@dataclass(frozen=True, slots=True, eq=False)
class RunFacts:
    """What a label group knows.

    Attributes
    ----------
    objects
        All objects that the label image lists.
    read_labels
        From a frame to its ``(Y, X)`` label image.
    """

    provenance: Provenance
    objects: Sequence[LabelledObject]
    anchors: Sequence[StoredAnchor]
    read_labels: Callable[[int], np.ndarray]


def session_of_run(facts: RunFacts) -> SessionDocument:
    """Make a session of what a run left behind.

    Clicks and boxes are in the provenance. Of a mask only its place is: it is read from
    the labels, or, where they show nothing, made of the anchor's logits; the remarks
    say so.
    """
    entries = _entries(facts.provenance)
    maker = _MaskMaker(facts)
    anchored = {
        (anchor.object_id, anchor.frame_index): anchor for anchor in facts.anchors
    }
    states = []
    for known in sorted(facts.objects, key=lambda known: known.object_id):
        object_id = known.object_id
        entry = entries.get(object_id, ObjectEntry(id=object_id))
        prompts = {prompt.frame: prompt for prompt in entry.prompts}
        frames = {frame for owner, frame in anchored if owner == object_id}
        found = [
            _prompt(object_id, frame, prompts.get(frame), maker)
            for frame in sorted(frames | prompts.keys())
        ]
        kept = tuple(prompt for prompt in found if prompt is not None)
        states.append(ObjectState(object_id, known.name, known.parent, kept))
    return SessionDocument(
        book=BookState(tuple(states)),
        image=_image(facts.provenance),
        model=ModelChoice(
            name=facts.provenance.model,
            image_size=facts.provenance.image_size,
            tiles=facts.provenance.tracker.tiles,
        ),
        remarks=maker.remarks(),
    )


class _MaskMaker:
    """Finds masks again whose pixels were not stored."""

    def __init__(self, facts: RunFacts) -> None:
        self._facts = facts
        self._anchors = {
            (anchor.object_id, anchor.frame_index): anchor for anchor in facts.anchors
        }
        prompts = facts.provenance.prompts
        self._hashes = prompts.get("masks", {}) if isinstance(prompts, dict) else {}
        self._from_labels: list[str] = []
        self._from_logits: list[str] = []
        self._lost: list[str] = []

    def mask(
        self, object_id: int, frame_index: int, name: str | None
    ) -> MaskPrompt | None:
        """Return a mask that the provenance calls by a name, if it can be found."""
        where = f"object {object_id} on frame {frame_index}"
        labels = self._facts.read_labels(frame_index)
        mask = labels == object_id
        if mask.any():
            packed = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
            if name is None or self._hashes.get(name) != packed:
                self._from_labels.append(where)
            return MaskPrompt(mask)
        anchor = self._anchors.get((object_id, frame_index))
        if anchor is not None:
            logits = zoom_logits(anchor.logits, labels.shape)
            if (logits > 0).any():
                self._from_logits.append(where)
                return MaskPrompt(logits > 0)
        self._lost.append(where)
        return None

    def remarks(self) -> tuple[str, ...]:
        """Return what the session should say, in words."""
        said = (
            ("taken from the labels as they are now", self._from_labels),
            ("made of the coarser logits", self._from_logits),
            ("lost: prompt there again", self._lost),
        )
        return tuple(
            f"The masks that the run was given were not saved; they were {how}: "
            f"{', '.join(places[:5])}{' …' if len(places) > 5 else ''}"
            for how, places in said
            if places
        )


def _prompt(
    object_id: int, frame: int, entry: PromptEntry | None, maker: _MaskMaker
) -> FramePrompt | None:
    if entry is None or entry.mask is not None:
        mask = maker.mask(object_id, frame, entry.mask if entry else None)
        return None if mask is None else FramePrompt(object_id, frame, mask=mask)
    points = entry.points or []
    positive = entry.positive or [True] * len(points)
    return FramePrompt(
        object_id,
        frame,
        points=tuple(
            PointPrompt(y, x, flag)
            for (y, x), flag in zip(points, positive, strict=False)
        ),
        box=None if entry.box is None else BoxPrompt(*entry.box),
    )


def zoom_logits(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Enlarge ``(h, w)`` logits bilinearly, pixel centres kept, as the tracker does."""
    steps = np.divide(logits.shape, shape)
    enlarged: np.ndarray = affine_transform(
        logits, steps, (steps - 1) / 2, output_shape=shape, order=1, mode="nearest"
    )
    return enlarged


def _entries(provenance: Provenance) -> dict[int, ObjectEntry]:
    prompts = provenance.prompts if isinstance(provenance.prompts, dict) else {}
    known = {"version": 1, "objects": prompts.get("objects", [])}
    try:
        document = PromptsDocument.model_validate(known)
    except ValidationError:
        # Of another program, or a later version: the anchors stand for the prompts.
        return {}
    return {entry.id: entry for entry in document.objects}


def _image(provenance: Provenance) -> InputMapping:
    frames = provenance.frames
    known = {key: frames.get(key) for key in InputMapping.model_fields}
    try:
        return InputMapping.model_validate(
            {key: value for key, value in known.items() if value is not None}
        )
    except ValidationError:
        return InputMapping(source=str(frames.get("source", "")) or None)
