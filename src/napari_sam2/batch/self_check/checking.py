"""A self-check: models track to what a person vouches for, without having seen it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from napari_sam2.batch.benchmark.following import clicks_on
from napari_sam2.batch.job import load_predictor
from napari_sam2.batch.lazy_stack import ChunkMasks
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.resources import current_memory
from napari_sam2.batch.self_check.hiding import (
    MOST_HIDDEN,
    MOST_OBJECTS,
    Round,
    TrustedObject,
    rounds_of,
    trusted_objects,
)
from napari_sam2.batch.self_check.result import (
    HiddenFrame,
    ModelCheck,
    SelfCheck,
    judged,
)
from napari_sam2.batch.tile_choice import AUTO, chosen_side
from napari_sam2.errors import InputError, ModelError
from napari_sam2.interfaces import FrameSource
from napari_sam2.io.label_store.store import DEFAULT_NAME, OmeZarrLabelStore
from napari_sam2.io.training.tracked_movie import open_movie
from napari_sam2.metrics import boundary_similarity, region_similarity
from napari_sam2.model.checkpoints.registry import REGISTRY
from napari_sam2.model.checkpoints.weights_file import path_at_hand, trained_image_size
from napari_sam2.prompts import FramePrompt, Place, PointPrompt, PromptedObject
from napari_sam2.session.planning.plan import FrameRange, Plan, object_lives
from napari_sam2.session.session import FrameDone, Session, steps_of
from napari_sam2.tracking.hard_cases.names import chosen_cases
from napari_sam2.tracking.postprocess import label_image

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

GOOD_REGION = 0.8
"""J at which nobody clicks any more."""
MOST_CLICKS = 8
"""A mask that is not good after so many counts as so many."""


@dataclass(frozen=True, slots=True)
class SelfCheckJob:
    """A request to check models on masklets.

    Attributes
    ----------
    masklets, name
        OME-Zarr and label group that `track` or the window wrote.
    models
        Names or files; empty for all published ones on this machine and the session's.
        Nothing is ever downloaded.
    movie
        The movie, if it is another file than the session says.
    most_hidden
        Frames of an object that are hidden, at most.
    device
        As for `StreamingPredictor`.
    """

    masklets: Path
    name: str = DEFAULT_NAME
    models: tuple[str, ...] = ()
    movie: Path | None = None
    most_hidden: int = MOST_HIDDEN
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.most_hidden < 1:
            raise InputError(f"--hide {self.most_hidden}: give 1 or more")


@dataclass(frozen=True, slots=True)
class CheckStep:
    """How far a check is: steps of all models together."""

    position: int
    total: int


def run_self_check(job: SelfCheckJob) -> Generator[CheckStep, None, SelfCheck]:
    """Hide trusted masks one after another, track to them, and compare.

    Nothing is written. A model that cannot be used says so in the result.

    Yields
    ------
    CheckStep
        After each frame that a model has seen.

    Raises
    ------
    InputError
        If too few masks are trusted, or the movie cannot be read.
    ModelError
        If a model that was asked for is not on this machine.
    OutputError
        If there are no masklets of that name.
    """
    store = OmeZarrLabelStore.open(job.masklets, job.name, "r")
    models = models_at_hand(job.models, store)
    trusted = trusted_objects(store)
    rounds = rounds_of(trusted, job.most_hidden)
    found: list[ModelCheck] = []
    with closing(open_movie(store, store.read_session().image, job.movie)) as source:
        checker = _Checker(store, source, rounds, job.device)
        total = checker.steps * len(models)
        for model in models:
            done = len(found) * checker.steps
            found.append((yield from checker.check(model, done, total)))
    ids = {one for part in rounds for one in part.hidden}
    return judged(
        SelfCheck(
            masklets=str(job.masklets),
            name=job.name,
            objects=len(ids),
            frames=sum(len(kept) for part in rounds for kept in part.hidden.values()),
            models=tuple(sorted(found, key=lambda one: one.parameters)),
            remarks=_remarks(store, trusted, len(ids)),
        )
    )


def models_at_hand(asked: Sequence[str], store: OmeZarrLabelStore) -> tuple[str, ...]:
    """Return the models to check, the smallest file first; none is fetched.

    Raises
    ------
    ModelError
        If one that was asked for is not on this machine.
    """
    here = {name: path for name in REGISTRY if (path := path_at_hand(name)) is not None}
    for name in asked:
        path = path_at_hand(name)
        if path is None:
            raise ModelError(
                f"{name} is not on this machine: fetch it with 'napari-sam2 models "
                f"download {name}', or check others"
            )
        here[name] = path
    own = store.provenance.model
    if not asked and own not in here:
        try:
            path = path_at_hand(own)
        except ModelError:
            path = None  # it was moved or deleted since
        if path is not None:
            here[own] = path
    names = dict.fromkeys(asked or here)
    return tuple(sorted(names, key=lambda name: here[name].stat().st_size))


def _remarks(
    store: OmeZarrLabelStore, trusted: Sequence[TrustedObject], count: int
) -> tuple[str, ...]:
    remarks = []
    if count == MOST_OBJECTS and len(trusted) > count:
        remarks.append(f"{count} of {len(trusted)} objects were measured")
    if store.provenance.tracker.region is not None:
        remarks.append(
            "the session looks at a part of the frames, the self-check at all of them"
        )
    return tuple(remarks)


class _Checker:
    """Hidden masks of a movie, and how models find them again.

    Attributes
    ----------
    steps
        Frames that a model is shown, prompted ones included.
    """

    def __init__(
        self,
        store: OmeZarrLabelStore,
        source: FrameSource,
        rounds: Sequence[Round],
        device: str,
    ) -> None:
        self._store, self._source, self._rounds = store, source, rounds
        self._device = device
        self.steps = sum(map(self._step_count, rounds))

    def check(
        self, model: str, done: int, total: int
    ) -> Generator[CheckStep, None, ModelCheck]:
        """Measure a model; yields how far the check is then."""
        hidden: list[HiddenFrame] = []
        seconds: list[float] = []
        memory = parameters = 0
        try:
            for part in self._rounds:
                predictor = self._predictor(model, part)
                weights = predictor.network.model.parameters()
                parameters = sum(weight.numel() for weight in weights)
                masks = ChunkMasks.of(predictor, sorted(part.hidden))
                objects = self._objects(part)
                session = Session(self._source, masks, predictor, objects)
                begin = time.perf_counter()
                for step in session.propagate(self._plan(part)):
                    seconds.append(time.perf_counter() - begin)
                    hidden += self._found(part, predictor, step)
                    memory = max(memory, memory_of(predictor))
                    done += 1
                    yield CheckStep(done, total)
                    begin = time.perf_counter()
        except (InputError, ModelError) as error:
            return ModelCheck(model=model, refused=str(error))
        return ModelCheck(
            model=model,
            parameters=parameters,
            hidden=tuple(hidden),
            seconds_per_frame=median(seconds),
            memory_bytes=memory,
        )

    # --- Tracking to what is hidden

    def _plan(self, part: Round) -> Plan:
        return Plan(FrameRange(0, self._source.frame_count), only=part.hidden)

    def _objects(self, part: Round) -> tuple[PromptedObject, ...]:
        return part.objects(self._store.read_labels)

    def _step_count(self, part: Round) -> int:
        objects = self._objects(part)
        lives = object_lives(objects, self._source.frame_count)
        return len(steps_of(self._plan(part), objects, lives))

    def _predictor(self, model: str, part: Round) -> StreamingPredictor:
        """Load a model as the session would have it."""
        made_by, chosen = self._store.provenance, self._store.read_session().model
        size = chosen.image_size if chosen and chosen.name == model else None
        tracker, tiles = made_by.tracker, made_by.tracker.tiles
        if tiles is not None and model != made_by.model:
            objects = self._objects(part)
            side = size or trained_image_size(model)
            tiles = chosen_side(AUTO, self._source.frame_shape, side, objects)
        options = ModelOptions(
            model=model,
            image_size=size,
            device=self._device,
            tiles=tiles,
            raw_masks=tracker.raw_masks,
            one_component=tracker.one_component if model == made_by.model else None,
            hard_cases=chosen_cases(tracker.hard_cases),
        )
        return load_predictor(options, self._source)

    # --- Comparing

    def _found(
        self, part: Round, predictor: StreamingPredictor, step: FrameDone
    ) -> Iterator[HiddenFrame]:
        """Yield how the hidden masks of a frame were found again."""
        if step.result is None:
            return
        labels = self._store.read_labels(step.frame_index)
        for object_id in step.object_ids:
            if step.frame_index in part.hidden[object_id]:
                truth, guess = labels == object_id, step.result.labels == object_id
                answer = partial(self._answer, predictor, (object_id, step.frame_index))
                yield HiddenFrame(
                    object_id=object_id,
                    frame_index=step.frame_index,
                    region=region_similarity(truth, guess),
                    boundary=boundary_similarity(truth, guess),
                    switched=is_switched(labels, guess, object_id),
                    clicks=clicks_needed(answer, truth, guess),
                )

    def _answer(
        self,
        predictor: StreamingPredictor,
        place: Place,
        points: tuple[PointPrompt, ...],
    ) -> np.ndarray:
        """Return the mask after clicks on a frame that was just tracked."""
        object_id, frame_index = place
        prompt = FramePrompt(object_id, frame_index, points=points)
        frame = self._source.read(frame_index)
        step = predictor.preview(frame_index, frame, [prompt])
        layout = predictor.layout
        windows = None if layout.is_whole else layout.windows(step.tiles)
        shape = self._source.frame_shape
        labels = label_image((1,), step.logits, shape, np.uint8, windows)
        found: np.ndarray = labels == 1
        return found


def clicks_needed(
    answer: Callable[[tuple[PointPrompt, ...]], np.ndarray],
    truth: np.ndarray,
    guess: np.ndarray,
) -> int:
    """Return how many clicks of a careful person make a mask good.

    Parameters
    ----------
    answer
        From all clicks so far to the ``(Y, X)`` bool mask.
    truth, guess
        ``(Y, X)`` bool, what is right, and what there is without a click. Where the
        object is not to be seen, one press of a key says so.
    """
    if not truth.any():
        return int(guess.any())
    points: tuple[PointPrompt, ...] = ()
    for number in range(MOST_CLICKS):
        if region_similarity(truth, guess) >= GOOD_REGION:
            return number
        points += clicks_on(truth, guess)
        guess = answer(points)
    return MOST_CLICKS


def is_switched(labels: np.ndarray, guess: np.ndarray, object_id: int) -> bool:
    """Tell whether a ``(Y, X)`` bool mask lies more on another object than its own."""
    below = np.bincount(labels[guess].ravel(), minlength=object_id + 1)
    below[0] = 0
    return bool(below.max() > below[object_id])


def memory_of(predictor: StreamingPredictor) -> int:
    """Return bytes in use: of a CUDA device the most so far, else of the process."""
    if predictor.device.type != "cuda":
        return current_memory()
    import torch

    return int(torch.cuda.max_memory_allocated(predictor.device))
