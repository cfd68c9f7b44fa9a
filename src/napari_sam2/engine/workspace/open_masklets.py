"""A movie and a label store that are open, and what is known of their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.engine.workspace.kept_frames import KeptFrames
from napari_sam2.engine.workspace.loading import Setup
from napari_sam2.engine.workspace.prompt_answers import Answers, SeenMask
from napari_sam2.interfaces import StoredAnchor
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import FramePrompt, Place
from napari_sam2.session.book.changes import is_same_prompt
from napari_sam2.session.book.prompt_book import Edit
from napari_sam2.session.book.state import BookState
from napari_sam2.session.planning.plan import Plan
from napari_sam2.session.visibility import visibility_remark

if TYPE_CHECKING:
    from napari_sam2.engine.events import Request
    from napari_sam2.tracking.predictor import StreamingPredictor


KEPT_ANSWERS = 20
"""Answers at one place that an undo finds without the disk."""


@dataclass(slots=True)
class Movie:
    """An open movie, and who answers prompts on it.

    Attributes
    ----------
    device, precision
        What was asked for.
    setup, predictor, answers
        How objects are followed, and who answers: nobody else uses them.
    is_remarked
        Whether it was said that the model sees it badly.
    seen_for
        The last request that it was seen to fit, and the masklets of that.
    """

    image: ImageInput
    source: KeptFrames
    device: str
    precision: str
    setup: Setup
    predictor: StreamingPredictor
    answers: Answers
    is_remarked: bool = False
    seen_for: tuple[Request, Masklets | None] | None = None

    def remark(self, areas: Sequence[float]) -> str | None:
        """Say once if answered objects are too small, or frames too long to be seen.

        Parameters
        ----------
        areas
            Of the objects, in pixels of the movie.
        """
        if self.is_remarked:
            return None
        side = self.predictor.network.geometry.image_size
        said = visibility_remark(self.predictor.layout.tile_shape, side, areas)
        self.is_remarked = said is not None
        return said


@dataclass(slots=True, eq=False)
class Masklets:
    """An open label store, and what is known of its anchors.

    Attributes
    ----------
    said, anchors
        By place: the prompt that was answered there, and the answer.
    seen
        By place: the mask that a person saw before the first prompt there.
    past
        By place: earlier prompts with their answers, for undo.
    pending
        Edits whose answers were dropped because the next one was there already.
    interrupted
        The plan of a run that was stopped; the same plan goes on where it was.
    made_by
        What made them when they were opened.
    """

    store: OmeZarrLabelStore
    said: dict[Place, FramePrompt] = field(default_factory=dict)
    anchors: dict[Place, StoredAnchor] = field(default_factory=dict)
    seen: dict[Place, SeenMask] = field(default_factory=dict)
    past: dict[Place, deque[tuple[FramePrompt, StoredAnchor]]] = field(
        default_factory=dict
    )
    pending: list[Edit] = field(default_factory=list)
    interrupted: Plan | None = None
    made_by: Provenance = field(init=False)

    def __post_init__(self) -> None:
        self.made_by = self.store.provenance

    def note(self, prompt: FramePrompt, anchor: StoredAnchor) -> None:
        """Take note of an answer."""
        place = (prompt.object_id, prompt.frame_index)
        self.said[place], self.anchors[place] = prompt, anchor
        self.past.setdefault(place, deque(maxlen=KEPT_ANSWERS)).append((prompt, anchor))

    def forget(self, place: Place) -> None:
        """Take note that nothing is said at a place."""
        self.said.pop(place, None)
        self.anchors.pop(place, None)
        self.seen.pop(place, None)

    def adopt(self, book: BookState) -> None:
        """Go on with another book, whose prompts were answered before, or on disk."""
        said = {
            (state.object_id, prompt.frame_index): prompt
            for state in book.objects
            for prompt in state.prompts
        }
        unknown = set()
        for place in [place for place in self.said if place not in said]:
            self.forget(place)
        for place, prompt in said.items():
            if not is_same_prompt(self.said.get(place), prompt):
                known = self._answered_before(place, prompt)
                if known is None:
                    unknown.add(place)
                else:
                    self.said[place], self.anchors[place] = prompt, known
        if unknown:
            for anchor in self.store.read_anchors():
                place = (anchor.object_id, anchor.frame_index)
                if place in unknown:
                    self.note(said[place], anchor)

    def _answered_before(
        self, place: Place, prompt: FramePrompt
    ) -> StoredAnchor | None:
        for before, anchor in reversed(self.past.get(place, ())):
            if is_same_prompt(before, prompt):
                return anchor
        return None
