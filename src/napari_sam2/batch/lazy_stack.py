"""`track_stack`: masklets of a dask array as a dask array, computed when asked for.

Each walk of the tracker (prompts are resolved, then then backward, then forward) is
cut where the chunks of the stack end. A piece is a task: it gets the frames of its
chunk, the tracker's memory from the piece before, whose size does not grow, and what an
earlier walk left on the chunk; it gives masks and memory. So a frame needs the
chunks between the prompts and itself, and no task holds more than one chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from operator import getitem
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from napari_sam2.batch.job import load_predictor
from napari_sam2.batch.models import ModelOptions
from napari_sam2.batch.plan.making import pinned
from napari_sam2.batch.prompting.policies import check_inside
from napari_sam2.errors import InputError
from napari_sam2.interfaces import (
    Arrays,
    Calibration,
    FrameResult,
    ObjectScores,
    Progress,
    StoredAnchor,
)
from napari_sam2.io.movies.intensity import (
    IntensityMapping,
    evenly_spaced,
    measure_mapping,
)
from napari_sam2.io.prompts.bounds import PromptBounds
from napari_sam2.prompts import PromptedObject
from napari_sam2.session.planning.plan import (
    Direction,
    FrameRange,
    Plan,
    check_beginnings,
    object_lives,
)
from napari_sam2.session.session import Session, steps_of
from napari_sam2.tiles import TileLayout

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

LABELS = np.dtype(np.uint16)


def track_stack(
    stack: da.Array,
    prompts: Sequence[PromptedObject],
    *,
    model: ModelOptions | str = "nano",
    mapping: IntensityMapping | None = None,
    direction: Direction = Direction.BOTH,
) -> da.Array:
    """Track prompted objects through a stack, lazily; equal to `track` in every pixel.

    Parameters
    ----------
    stack
        ``(T, Y, X)`` of numbers, in any chunks; those along T decide how much is read
        and computed at a time.
    prompts
        Objects with their prompts, see `napari_sam2.prompts`; `read_prompts` reads
        them from a file.
    model
        Name or path, or all that `ModelOptions` says. What is ``"auto"`` is chosen now,
        on this machine.
    mapping
        How intensities become the brightness that the model sees. Unless given, it is
        measured on up to 20 evenly spaced frames, whose chunks are read for it.
    direction
        Where to track from the prompts.

    Returns
    -------
    dask.array.Array
        ``(T, Y, X)`` uint16 labels, chunked like the stack along T.

    Raises
    ------
    InputError
        If the stack is no ``(T, Y, X)``, or a prompt does not fit it.
    """
    if stack.ndim != 3 or stack.dtype.kind not in "uif":
        raise InputError(
            f"the stack has shape {stack.shape} and type {stack.dtype}: give numbers "
            "of (T, Y, X), one channel and plane of it such as stack[:, 0]"
        )
    stack = stack.rechunk({0: stack.chunks[0], 1: -1, 2: -1})
    objects = tuple(prompts)
    _check(objects, stack.shape)
    options = model if isinstance(model, ModelOptions) else ModelOptions(model=model)
    request = StackRequest(
        objects,
        pinned(options),
        Plan(FrameRange(0, stack.shape[0]), direction),
        stack.shape,
    )
    known = dask.delayed(_measure_lazily(stack) if mapping is None else mapping)
    return _graph(stack, request, known)


@dataclass(frozen=True, slots=True, eq=False)
class StackRequest:
    """What is the same for all pieces.

    Attributes
    ----------
    shape
        ``(T, Y, X)``.
    """

    objects: tuple[PromptedObject, ...]
    options: ModelOptions
    plan: Plan
    shape: tuple[int, int, int]


@dataclass(slots=True)
class ChunkMasks:
    """A label store in memory for the frames of one chunk."""

    frame_shape: tuple[int, int]
    logits_shape: tuple[int, int]
    object_ids: tuple[int, ...]
    layout: TileLayout
    labels: dict[int, np.ndarray] = field(default_factory=dict)
    logits: dict[int, dict[int, np.ndarray]] = field(default_factory=dict)
    tiles: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, predictor: StreamingPredictor, object_ids: Iterable[int]) -> Self:
        """Return an empty store for what a predictor tracks."""
        layout, ids = predictor.layout, tuple(object_ids)
        return cls(layout.frame_shape, predictor.logits_shape, ids, layout)

    def write(self, result: FrameResult) -> None:
        """Keep labels and logits of one frame."""
        self.labels[result.frame_index] = result.labels.astype(LABELS)
        known = self.logits.setdefault(result.frame_index, {})
        known.update(zip(result.object_ids, result.logits, strict=True))
        places = [(result.frame_index, one) for one in result.object_ids]
        if result.tiles is not None:
            self.tiles.update(zip(places, result.tiles.tolist(), strict=True))

    def read_labels(self, frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` label image; zeros where nothing was written."""
        found = self.labels.get(frame_index)
        return np.zeros(self.frame_shape, LABELS) if found is None else found

    def read_logits(
        self, frame_index: int, *, without: Sequence[int] = ()
    ) -> tuple[tuple[int, ...], np.ndarray]:
        """Return ids and ``(objects, h, w)`` logits of a frame, in id order."""
        known = self.logits.get(frame_index, {})
        ids = tuple(one for one in sorted(known) if one not in without)
        if not ids:
            return (), np.zeros((0, *self.logits_shape), np.float32)
        return ids, np.stack([known[one] for one in ids])

    def read_tiles(self, frame_index: int, object_ids: Sequence[int]) -> np.ndarray:
        """Return the tiles that stored logits cover."""
        found = [self.tiles.get((frame_index, one), 0) for one in object_ids]
        return np.asarray(found, np.int64)

    def write_anchor(self, anchor: StoredAnchor) -> None:
        """Keep nothing: the tracker's memory has it."""

    def read_scores(self, frame_index: int) -> tuple[tuple[int, ...], ObjectScores]:
        """Know no scores."""
        raise NotImplementedError

    def read_anchors(self) -> list[StoredAnchor]:
        """Know no anchors."""
        return []

    def commit(self, progress: Progress, snapshot: Arrays | None) -> None:
        """Record nothing: dask knows what was computed."""

    def read_progress(self) -> None:
        """Know no progress."""

    def mend(self) -> None:
        """Lie in memory, where nothing is damaged."""

    def finish(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkFrames:
    """Frames of one chunk as the model sees them.

    Attributes
    ----------
    frame_count, frame_shape
        Of the whole stack.
    first
        Number of the chunk's first frame.
    pixels
        ``(t, Y, X)``.
    """

    frame_count: int
    frame_shape: tuple[int, int]
    first: int
    pixels: np.ndarray
    mapping: IntensityMapping

    @property
    def calibration(self) -> Calibration:
        """Unknown."""
        return Calibration()

    @property
    def provenance(self) -> Mapping[str, object]:
        """Nothing is known of an array."""
        return {}

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB."""
        return self.mapping.apply(self.pixels[frame_index - self.first][None])

    def close(self) -> None:
        """Hold nothing."""


def run_piece(
    request: StackRequest,
    frames: tuple[int, np.ndarray],
    mapping: IntensityMapping,
    memory: Arrays | None,
    before: ChunkMasks | None,
    piece: slice,
) -> tuple[Arrays, ChunkMasks]:
    """Make the steps of one piece.

    Parameters
    ----------
    frames
        Number of the chunk's first frame, and its pixels ``(t, Y, X)``.
    memory
        What the tracker remembers before; None at the very first step.
    before
        What earlier walks left on this chunk.
    piece
        Which steps of the plan.

    Returns
    -------
    tuple
        What the tracker remembers then, and what is on the chunk.
    """
    count, *shape = request.shape
    source = ChunkFrames(count, (shape[0], shape[1]), *frames, mapping)
    predictor = load_predictor(request.options, source)
    if memory is not None:
        predictor.restore(memory)
    masks = ChunkMasks.of(predictor, (one.object_id for one in request.objects))
    if before is not None:  # tasks share their results: none is changed
        masks.labels = dict(before.labels)
        masks.logits = {at: dict(known) for at, known in before.logits.items()}
        masks.tiles = dict(before.tiles)
    session = Session(source, masks, predictor, request.objects)
    session.make(request.plan, session.steps(request.plan)[piece])
    return predictor.snapshot(), masks


def _graph(stack: da.Array, request: StackRequest, mapping: Delayed) -> da.Array:
    """Chain the pieces, and put the label images of all chunks together.

    One layer of tasks: with one for each piece, to build them was quadratic in chunks.
    """
    name = f"masklets-{uuid4().hex}"
    starts = np.cumsum([0, *stack.chunks[0]]).tolist()
    tasks: dict[Any, Any] = {f"request-{name}": request}
    resolved: Any = None
    memory: Any = None
    masks: dict[int, Any] = {}
    walked = 0
    for at, (number, chunk, piece) in enumerate(_pieces(request, np.array(starts))):
        if number != walked:
            # Walks begin with what was prompted alone, whatever walked before them.
            walked, memory = number, resolved
        frames = (_numbered, starts[chunk], (stack.name, chunk, 0, 0))
        given = (f"request-{name}", frames, mapping.key, memory, masks.get(chunk))
        tasks[f"piece-{name}", at] = (run_piece, *given, piece)
        memory, masks[chunk] = (f"memory-{name}", at), (f"masks-{name}", at)
        tasks[memory] = (getitem, (f"piece-{name}", at), 0)
        tasks[masks[chunk]] = (getitem, (f"piece-{name}", at), 1)
        if number == 0:
            resolved = memory
    for chunk, length in enumerate(stack.chunks[0]):
        empty = partial(np.zeros, (length, *request.shape[1:]), LABELS)
        tasks[name, chunk, 0, 0] = (
            (_stacked, masks[chunk], starts[chunk], length)
            if chunk in masks
            else (empty,)
        )
    needed: list[Any] = [stack, mapping]
    graph = HighLevelGraph.from_collections(name, tasks, needed)
    return da.Array(graph, name, stack.chunks, LABELS)


def _pieces(
    request: StackRequest, starts: np.ndarray
) -> Iterator[tuple[int, int, slice]]:
    """Yield walk, chunk and steps of each piece, in the order of the plan."""
    lives = object_lives(request.objects, request.shape[0])
    steps = steps_of(request.plan, request.objects, lives)
    places = [
        (one.number, int(np.searchsorted(starts, one.frame_index, "right")) - 1)
        for one in steps
    ]
    begin = 0
    for (number, chunk), group in groupby(places):
        end = begin + len(list(group))
        yield number, chunk, slice(begin, end)
        begin = end


def _numbered(first: int, pixels: np.ndarray) -> tuple[int, np.ndarray]:
    return first, pixels


def _stacked(masks: ChunkMasks, first: int, length: int) -> np.ndarray:
    """Return ``(t, Y, X)`` uint16 labels of a chunk."""
    return np.stack([masks.read_labels(first + at) for at in range(length)])


def _measure_lazily(stack: da.Array) -> Any:
    """Return a task that measures the mapping as `open_frames` does."""
    sampled = evenly_spaced(stack.shape[0])
    frames = [dask.delayed(np.asarray)(stack[at]) for at in sampled]
    return dask.delayed(_measured)(dict(zip(sampled, frames, strict=True)), len(stack))


def _measured(frames: Mapping[int, np.ndarray], count: int) -> IntensityMapping:
    is_8_bit = next(iter(frames.values())).dtype == np.uint8
    return measure_mapping(lambda at: frames[at][None], count, only_few_levels=is_8_bit)


def _check(objects: Sequence[PromptedObject], shape: tuple[int, int, int]) -> None:
    """Refuse prompts outside of the stack."""
    check_beginnings(objects)
    bounds = PromptBounds(shape[1:], shape[0])
    for one in objects:
        for prompt in one.prompts:
            check_inside(prompt, bounds, "prompts")
    if not object_lives(objects, shape[0]):
        raise InputError("there is nothing to track: give objects with prompts")
