"""Tracking as a stream: one frame at a time, all its objects together.

`StreamingPredictor` knows nothing of movies, gaps and plans. It is shown frames in any
order and remembers what SAM 2 would (sam2-spec §1.5–1.11); `napari_sam2.session`
decides which frames, in which direction, for which objects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial, wraps
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Arrays, StoredAnchor, TrackerSettings
from napari_sam2.model.config import LOGIT_STRIDE, STRIDE, Sam2Config
from napari_sam2.model.sam2 import ImageEmbedding, Sam2
from napari_sam2.prompts import FramePrompt
from napari_sam2.tiles import TileLayout, Window
from napari_sam2.tracking.batching import (
    USUAL_ANCHORS,
    Batch,
    BatchKind,
    BatchRunner,
    Shared,
    Work,
    by_tile,
    device_memory,
    one_behind,
    prompted_batches,
    tracked_batches,
)
from napari_sam2.tracking.device.painting import label_painter
from napari_sam2.tracking.embedding_cache import EmbeddingCache
from napari_sam2.tracking.hard_cases.cases import HardCases
from napari_sam2.tracking.heap import keep_pages
from napari_sam2.tracking.memory import snapshot as bank_snapshot
from napari_sam2.tracking.memory.bank import Anchor, LastTracked, MemoryBank, to_host
from napari_sam2.tracking.memory.budget import bytes_per_object
from napari_sam2.tracking.network import Network, fitted, ready
from napari_sam2.tracking.postprocess import FILL_HOLES
from napari_sam2.tracking.precision import Precision, choose_device, choose_precision
from napari_sam2.tracking.preprocess import FrameGeometry
from napari_sam2.tracking.step_result import Prediction, StepResult, step_result

Given = ParamSpec("Given")
Told = TypeVar("Told")

Embed = Callable[[], ImageEmbedding]
OnTile = tuple[Shared[ImageEmbedding], list[Batch]]


def computing(
    verb: Callable[Concatenate[StreamingPredictor, Given], Told],
) -> Callable[Concatenate[StreamingPredictor, Given], Told]:
    """Let a verb of a predictor compute without gradients, on its number of threads."""

    @wraps(verb)
    def computed(
        predictor: StreamingPredictor, /, *args: Given.args, **options: Given.kwargs
    ) -> Told:
        with torch.inference_mode(), predictor.precision.on_threads():
            return verb(predictor, *args, **options)

    return computed


class StreamingPredictor:
    """SAM 2 over a stream of frames, with a memory of constant size.

    Parameters
    ----------
    model
        The network; it is moved to the device and set to evaluate.
    frame_shape
        ``(Y, X)`` of the movie's frames in pixels.
    frame_count
        Length of the movie, where it is known; it matters below 16 frames.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    precision
        ``"auto"``, or a key of `tracking.precision.PRECISIONS`.
    max_anchors
        How many anchors of an object take part in attention: two are the bounds of
        the frame's gap, more the nearest ones, None all of them, as the official
        implementation has it.
    fill_holes
        Holes in masks up to so many low-resolution pixels are filled; 0 for none.
    object_batch
        At most so many objects at once; None leaves it to the free memory.
    cached_bytes
        At most so many bytes of embeddings are kept, one of them at least; None for a
        few.
    image_size
        Side of the model's square input, a multiple of 32; None for the size that the
        weights were trained for.
    embeddings
        Those that another predictor of the same model, input size and precision keeps:
        frames that it has seen need not be embedded again. They are not changed.
    one_component
        Whether a tracked mask is cut down to the component that goes on from the mask
        before, before it is remembered, see `other_components`; None as the weights are
        best followed. Prompted masks are left as they are.
    tile_size
        Side in pixels of the square tiles that objects are looked for in, a multiple of
        the tokens across the input; None, or where one covers the frame: the frame.
    region
        The one part of the frames that is looked at, ``(y, x, height, width)`` in
        pixels, in tiles or at once; None for all of it. Masks lie on whole frames.
    hard_cases
        Names of difficult kinds of movies that this is one of, see `HardCaseName`.

    Attributes
    ----------
    layout
        Where the tiles lie.
    label_image
        `postprocess.label_image`, done where the network is: the same labels.

    Raises
    ------
    InputError
        If device, precision, input size, tiles or hard cases cannot be had.
    """

    def __init__(  # noqa: PLR0913
        self,
        model: Sam2,
        *,
        frame_shape: tuple[int, int],
        frame_count: int | None = None,
        device: str | torch.device = "auto",
        precision: str = "auto",
        max_anchors: int | None = 2,
        fill_holes: int = FILL_HOLES,
        object_batch: int | None = None,
        cached_bytes: int | None = None,
        image_size: int | None = None,
        embeddings: EmbeddingCache | None = None,
        one_component: bool | None = None,
        tile_size: int | None = None,
        region: Window | None = None,
        hard_cases: Collection[str] = (),
    ) -> None:
        size = model.config.image_size if image_size is None else image_size
        _check_fit(model.config, size, moves=bool(tile_size or hard_cases))
        self.device = choose_device(device)
        if self.device.type == "cpu":
            keep_pages()
        numbers = choose_precision(precision, self.device)
        self.precision = numbers.sharing_cores(model, size)
        needed = bytes_per_object(model.config, size, max_anchors or USUAL_ANCHORS)
        if needed > device_memory(self.device):
            raise InputError(
                f"image size {size}: a single object takes {needed / 1e9:.0f} GB, more "
                f"than {self.device} has: choose a smaller one"
            )
        layout = _layout(frame_shape, size, tile_size, region)
        self.layout = layout = fitted(layout, model.config)
        geometry, model = FrameGeometry(layout.tile_shape, size), model.to(self.device)
        quick = ready(model.eval(), self.precision)
        self.network = Network(
            quick, geometry, self.precision, fill_holes, embeddings, layout
        )
        if cached_bytes is not None:
            self.network.embeddings = EmbeddingCache(max_bytes=cached_bytes)
        self.bank = MemoryBank(
            model.config,
            size,
            layout=layout,
            device=self.device,
            dtype=self.precision.dtype,
            frame_count=frame_count,
            max_anchors=max_anchors,
        )
        self.one_component = (
            model.config.one_component if one_component is None else one_component
        )
        self.cases = HardCases(hard_cases, self.bank, one_component=self.one_component)
        self._runner = _batch_runner(self.precision, needed, object_batch)
        self._bank_in_hand = Lock()
        self._expected: Embed | None = None
        # No batch is computed while a label image is made: it may take as much.
        at_most = None if object_batch is None else object_batch * needed
        self.label_image = label_painter(self.device, at_most)

    @property
    def logits_shape(self) -> tuple[int, int]:
        """``(h, w)`` of the logits of a mask."""
        side = self.network.geometry.image_size // LOGIT_STRIDE
        return side, side

    @property
    def settings(self) -> TrackerSettings:
        """What was asked for, and chosen, of how objects are followed."""
        return TrackerSettings(
            raw_masks=self.network.hole_area == 0,
            one_component=self.one_component,
            tiles=self.layout.side,
            region=self.layout.region,
            hard_cases=tuple(str(case) for case in self.cases.names),
        )

    # --- The stream

    @computing
    def step(
        self,
        frame_index: int,
        frame: np.ndarray,
        prompts: Sequence[FramePrompt] = (),
        *,
        objects: Sequence[int] | None = None,
        reverse: bool = False,
    ) -> StepResult:
        """Compute the masks of one frame, and remember them.

        Prompted objects get an anchor. An object's first prompt on a frame is answered
        from the prompt alone; on the frame which the stream has just tracked for the
        object, it is a correction, answered from its memory and its mask there as well.
        The other objects are tracked, or replayed where they have an anchor already.

        Parameters
        ----------
        frame
            ``(Y, X, 3)`` uint8 RGB.
        prompts
            At most one per object, all on this frame.
        objects
            Ids of the objects that are tracked besides; None for all with an anchor.
        reverse
            Whether the stream runs towards the first frame.

        Returns
        -------
        StepResult
            Masks and scores of prompted, tracked and replayed objects, by id.

        Raises
        ------
        InputError
            If frame or prompts do not fit the movie, or an object has no anchor.
        """
        replayed, batches = self._planned(frame_index, prompts, objects, reverse)
        self.cases.show(frame_index, frame)
        computed: list[Prediction] = []
        for seen, memories in one_behind(self._computed(frame_index, frame, batches)):
            with self._bank_in_hand:
                self._add(seen, memories)
            computed.append(seen)
        for anchor in replayed:
            self.bank.pass_anchor(anchor.object_id, frame_index)
        return self._result(frame_index, replayed, computed)

    def expect(self, frame_index: int, frame: np.ndarray) -> None:
        """Say which frame is shown after the one of the next `step`.

        Where a core would be idle it is embedded there, before that step returns.
        Nothing else comes of it: a frame that cannot be embedded is refused when it is
        shown, and another one may be shown instead.
        """
        if self.layout.is_whole:  # else nobody knows which tile
            self._expected = partial(self.network.embed, frame_index, frame)

    @computing
    def preview(
        self, frame_index: int, frame: np.ndarray, prompts: Sequence[FramePrompt]
    ) -> StepResult:
        """Compute what `step` would of prompted objects alone, and remember nothing."""
        replayed, batches = self._planned(frame_index, prompts, (), reverse=False)
        tiles = self._tiles(frame_index, frame, batches)
        computed = list(self._runner.run_all(_on_tiles(tiles, self._predict)))
        return self._result(frame_index, replayed, computed)

    @computing
    def replay(
        self, frame_index: int, frame: np.ndarray, *anchors: StoredAnchor
    ) -> None:
        """Put stored anchors of a frame into the bank, computing only their memory."""
        self.cases.show(frame_index, frame)
        new = [anchor for anchor in anchors if not self._is_known(anchor)]
        for anchor in new:
            if anchor.frame_index != frame_index:
                raise ValueError(
                    f"an anchor of frame {anchor.frame_index} cannot be replayed on "
                    f"frame {frame_index}"
                )
        for tile in sorted({anchor.tile for anchor in new}):
            embedding = self.network.embed(frame_index, frame, tile)
            there = [anchor for anchor in new if anchor.tile == tile]
            memories = self.network.encode_anchors(embedding, there)
            for anchor, memory in zip(there, memories, strict=True):
                self.bank.add_anchor(Anchor(anchor, to_host(memory)))

    def _is_known(self, anchor: StoredAnchor) -> bool:
        known = self.bank.anchor(anchor.object_id, anchor.frame_index)
        return (
            known is not None
            and known.stored.tile == anchor.tile
            and np.array_equal(known.stored.logits, anchor.logits)
        )

    # --- What is remembered

    def anchors(self) -> list[StoredAnchor]:
        """Return all anchors, by object and frame."""
        return [
            anchor.stored
            for object_id in self.bank.table.object_ids
            for _, anchor in sorted(self.bank.anchors(object_id).items())
        ]

    def forget_recent(self, object_ids: Iterable[int] | None = None) -> None:
        """Forget the recent frames of some objects, or of all: a new gap begins."""
        chosen = None if object_ids is None else tuple(object_ids)
        self.bank.forget_recent(chosen)
        self.cases.forget(chosen)

    def remove_anchor(self, object_id: int, frame_index: int) -> None:
        """Forget an anchor and the object's recent frames."""
        self.bank.remove_anchor(object_id, frame_index)
        self.cases.forget([object_id])

    def remove(self, object_id: int) -> None:
        """Forget an object."""
        self.bank.remove(object_id)
        self.cases.forget([object_id])

    def snapshot(self) -> Arrays:
        """Return everything remembered as named arrays, see `bank_snapshot`."""
        return bank_snapshot.take(self.bank) | self.cases.snapshot()

    @torch.inference_mode()
    def restore(self, arrays: Arrays) -> None:
        """Remember what a `snapshot` held, and nothing else; goes on bit by bit."""
        bank_snapshot.restore(self.bank, arrays)
        self.cases.restore(arrays)

    # --- Steps of a step

    def _planned(
        self,
        frame_index: int,
        prompts: Sequence[FramePrompt],
        objects: Sequence[int] | None,
        reverse: bool,
    ) -> tuple[list[StoredAnchor], list[Batch]]:
        """Return which anchors are replayed, which objects are computed together."""
        _check_prompts(frame_index, prompts)
        prompted = {prompt.object_id for prompt in prompts}
        wanted = self.bank.table.object_ids if objects is None else sorted(set(objects))
        replayed: list[StoredAnchor] = []
        tracked: list[int] = []
        for object_id in wanted:
            if object_id in prompted:
                continue
            anchor = self.bank.anchor(object_id, frame_index)
            if anchor is not None:
                replayed.append(anchor.stored)
            elif self.bank.anchors(object_id):
                tracked.append(object_id)
            elif objects is not None:
                raise InputError(
                    f"object {object_id} has no anchor: prompt it on a frame first"
                )
        batches = prompted_batches(self.bank, frame_index, prompts, reverse)
        batches += tracked_batches(self.bank, frame_index, tracked, reverse)
        return replayed, batches

    def _computed(
        self, frame_index: int, frame: np.ndarray, batches: Iterable[Batch]
    ) -> Iterator[tuple[Prediction, Tensor]]:
        """Yield all batches of a frame, tile by tile, with what is to be remembered."""
        tiles = self._tiles(frame_index, frame, batches)
        with self._runner.beside(self._ahead(tiles)):
            yield from self._runner.run_all(_on_tiles(tiles, self._compute))

    def _tiles(
        self, frame_index: int, frame: np.ndarray, batches: Iterable[Batch]
    ) -> deque[OnTile]:
        """Return each tile's batches; it is embedded when the first one needs it."""
        return deque(
            (Shared(partial(self.network.embed, frame_index, frame, tile)), together)
            for tile, together in by_tile(batches)
        )

    def _ahead(self, tiles: Sequence[OnTile]) -> Callable[[], object] | None:
        """Return what embeds the frame that is expected, after this one's first tile.

        Not before: where no more than one is kept, this one would be forgotten unused.
        """
        expected, self._expected = self._expected, None
        if expected is None or not tiles:
            return None
        embedding, _ = tiles[0]
        return lambda: (embedding(), expected())

    def _compute(
        self, embedding: ImageEmbedding, batch: Batch
    ) -> tuple[Prediction, Tensor]:
        """Take a batch through the network: select, condition, decode, remember."""
        seen = self._predict(embedding, batch)
        if batch.kind is BatchKind.TRACKED:
            return seen, self.network.encode_tracked(embedding, seen)
        return seen, self.network.encode_anchors(embedding, seen.stored_anchors())

    def _predict(self, embedding: ImageEmbedding, batch: Batch) -> Prediction:
        memory = tracked_logits = None
        if batch.kind in (BatchKind.TRACKED, BatchKind.CORRECTED):
            with self._bank_in_hand:
                memory = self.bank.select(
                    batch.object_ids,
                    batch.frame_index,
                    reverse=batch.reverse,
                    tile=batch.tile,
                )
        if batch.kind is BatchKind.CORRECTED:
            tracked_logits = self.bank.tracked_logits(batch.object_ids, batch.tile)
        seen = self.network.predict(embedding, batch, memory, tracked_logits)
        return self.cases.answer(seen)

    def _add(self, seen: Prediction, memories: Tensor) -> None:
        """Put what was seen into the bank."""
        batch, waits = seen.batch, self.cases.waits(seen)
        if batch.kind is BatchKind.TRACKED:
            ids = np.asarray(batch.object_ids)
            self.bank.wait(ids[waits].tolist(), reverse=batch.reverse)
            rows = slice(None) if not waits.any() else np.flatnonzero(~waits)
            self.bank.add_tracked(
                ids[rows].tolist(),
                LastTracked(batch.frame_index, batch.reverse, batch.tile),
                memory=memories[rows],
                pointers=seen.decoded.pointer[rows],
                logits=seen.heard.logits[rows],
            )
            return
        for stored, memory in zip(seen.stored_anchors(), memories, strict=True):
            self.bank.add_anchor(Anchor(stored, to_host(memory)))
            self.bank.pass_anchor(stored.object_id, batch.frame_index)

    def _result(
        self,
        frame_index: int,
        replayed: Sequence[StoredAnchor],
        computed: list[Prediction],
    ) -> StepResult:
        return step_result(
            frame_index,
            replayed,
            computed,
            logit_side=self.logits_shape[0],
            pointer_dim=self.network.model.config.hidden_dim,
        )


def _on_tiles(
    tiles: deque[OnTile], compute: Callable[[ImageEmbedding, Batch], Told]
) -> Iterator[Work[Batch, Told]]:
    """Yield each batch with what computes it; a tile is let go with its last one."""
    while tiles:
        embedding, together = tiles.popleft()
        for batch in together:
            yield batch, partial(_on_tile, compute, embedding)


def _on_tile(
    compute: Callable[[ImageEmbedding, Batch], Told],
    embedding: Shared[ImageEmbedding],
    batch: Batch,
) -> Told:
    return compute(embedding(), batch)


def _check_fit(config: Sam2Config, size: int, *, moves: bool) -> None:
    """Refuse an input size, or moving what is remembered, that a network cannot do."""
    step = config.size_step
    if size < step or size % step:
        raise InputError(f"image size {size}: give a multiple of {step}")
    if moves and config.latents is not None:
        raise InputError(
            f"{config.name} keeps no map of what it remembers that could be moved: "
            "leave out tiles and hard cases, or choose another model"
        )


def _layout(
    frame_shape: tuple[int, int],
    image_size: int,
    tile_size: int | None,
    region: Window | None,
) -> TileLayout:
    """Return which parts of frames the network sees one by one."""
    if tile_size is not None:
        return TileLayout.of_side(frame_shape, tile_size, image_size // STRIDE, region)
    if region is not None:
        return TileLayout.of_region(frame_shape, region)
    return TileLayout.whole(frame_shape)


def _batch_runner(
    precision: Precision, bytes_per_object: int, limit: int | None
) -> BatchRunner:
    is_small = precision.threads is not None
    return BatchRunner(
        precision.device, bytes_per_object, limit, precision.lanes, is_small=is_small
    )


def _check_prompts(frame_index: int, prompts: Sequence[FramePrompt]) -> None:
    ids = [prompt.object_id for prompt in prompts]
    if len(set(ids)) < len(ids):
        raise InputError(f"frame {frame_index}: more than one prompt for an object")
    for prompt in prompts:
        if prompt.frame_index != frame_index:
            raise InputError(
                f"object {prompt.object_id}: a prompt of frame {prompt.frame_index} "
                f"was given on frame {frame_index}"
            )
