"""Which objects of a frame are computed together, how many at once."""

from __future__ import annotations

import gc
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import groupby
from threading import Lock
from typing import Generic, Protocol, Self, TypeVar

import psutil
import torch

from napari_sam2.errors import ModelError
from napari_sam2.prompts import FramePrompt
from napari_sam2.tracking.memory.bank import MemoryBank
from napari_sam2.tracking.memory.budget import FASTEST_BATCH
from napari_sam2.tracking.preprocess import tile_of_prompt, within_tile

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Parted(Protocol):
    """Rows that can be computed part by part."""

    def __len__(self) -> int: ...

    def part(self, start: int, stop: int) -> Self:
        """Return a slice of the rows."""


Rows = TypeVar("Rows", bound=Parted)

Work = tuple[Rows, Callable[[Rows], Result]]
"""A batch, and what computes a part of it."""

CPU_BUDGET = 2**26
"""Bytes that a batch may take on the CPU: three objects of nano at 256 pixels.

Larger batches need fewer calls (of ten objects on two cores, five at once take a tenth
less), but are fewer for machines that have more cores. Fixed, so that equal runs batch
equally."""

DEVICE_SHARE = 0.7
"""Share of the free device memory that a batch may take."""

USUAL_ANCHORS = 2


class BatchKind(Enum):
    """How the objects of a batch are computed."""

    TRACKED = auto()  # no prompt: memory alone
    CLICKED = auto()  # first prompt on a frame: prompts alone
    CORRECTED = auto()  # prompt on the frame just tracked: memory, mask and prompts
    MASKED = auto()  # a given mask: neither memory nor prediction


@dataclass(frozen=True, slots=True)
class Batch:
    """Objects of one frame that go through the network together.

    Attributes
    ----------
    frame_index, reverse
        Where, and which way the stream runs.
    object_ids
        The rows.
    prompts
        One per object, with equal numbers of points, in pixels of the tile; empty for
        tracked objects.
    tile
        The tile that all of them are looked for in.
    """

    kind: BatchKind
    frame_index: int
    reverse: bool
    object_ids: tuple[int, ...]
    prompts: tuple[FramePrompt, ...] = ()
    tile: int = 0

    def __len__(self) -> int:
        return len(self.object_ids)

    def part(self, start: int, stop: int) -> Batch:
        """Return a slice of the rows."""
        return replace(
            self,
            object_ids=self.object_ids[start:stop],
            prompts=self.prompts[start:stop],
        )


def prompted_batches(
    bank: MemoryBank, frame_index: int, prompts: Sequence[FramePrompt], reverse: bool
) -> list[Batch]:
    """Group the prompted objects of a frame.

    Objects with unequal numbers of points never share a batch: a padding point is a
    token too, and would change the result.

    Raises
    ------
    InputError
        If a prompt fits into no tile.
    """
    groups: dict[tuple[BatchKind, bool, int, int], list[FramePrompt]] = {}
    for prompt in sorted(prompts, key=lambda prompt: prompt.object_id):
        kind, direction = _kind_and_direction(bank, frame_index, prompt, reverse)
        now = bank.tile_of(prompt.object_id, frame_index)
        tile = tile_of_prompt(bank.layout, prompt, now, kind is BatchKind.CORRECTED)
        local = within_tile(bank.layout, prompt, tile)
        points = len(local.points) + (0 if local.box is None else 2)
        groups.setdefault((kind, direction, points, tile), []).append(local)
    return [
        Batch(
            kind,
            frame_index,
            direction,
            tuple(prompt.object_id for prompt in members),
            tuple(members),
            tile,
        )
        for (kind, direction, _, tile), members in groups.items()
    ]


def tracked_batches(
    bank: MemoryBank, frame_index: int, object_ids: Sequence[int], reverse: bool
) -> list[Batch]:
    """Group objects that are tracked on a frame by the tile that each has come to."""
    groups: dict[int, list[int]] = {}
    for object_id in object_ids:
        tile = bank.tile_of(object_id, frame_index) or 0
        groups.setdefault(tile, []).append(object_id)
    return [
        Batch(BatchKind.TRACKED, frame_index, reverse, tuple(members), tile=tile)
        for tile, members in groups.items()
    ]


def by_tile(batches: Iterable[Batch]) -> list[tuple[int, list[Batch]]]:
    """Return the batches of each tile, in the order of the tiles."""
    ordered = sorted(batches, key=lambda batch: batch.tile)
    groups = groupby(ordered, key=lambda batch: batch.tile)
    return [(tile, list(members)) for tile, members in groups]


def _kind_and_direction(
    bank: MemoryBank, frame_index: int, prompt: FramePrompt, reverse: bool
) -> tuple[BatchKind, bool]:
    """Tell first prompts from corrections, which run as their frame was tracked."""
    if prompt.mask is not None:
        return BatchKind.MASKED, reverse
    last = bank.last_tracked.get(prompt.object_id)
    has_memory = any(frame != frame_index for frame in bank.anchors(prompt.object_id))
    if last is None or last.frame_index != frame_index or not has_memory:
        return BatchKind.CLICKED, reverse
    return BatchKind.CORRECTED, last.reverse


def one_behind(results: Iterable[Result]) -> Iterator[Result]:
    """Yield each result when the next one was asked for.

    So the device computes while the host looks at what it said before.
    """
    before: list[Result] = []
    for result in results:
        yield from before
        before = [result]
    yield from before


class Shared(Generic[Result]):
    """What parts in several lanes need, made once by whoever is first.

    Parameters
    ----------
    make
        Makes it; where that fails, the next who needs it tries again.
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make, self._in_hand = make, Lock()
        self._made: Result | None = None

    def __call__(self) -> Result:
        """Return it."""
        with self._in_hand:
            if self._made is None:
                self._made = self._make()
            return self._made


class BatchRunner:
    """Runs batches in parts that fit into memory.

    Parameters
    ----------
    device
        Whose free memory decides.
    bytes_per_object
        What one object takes.
    limit
        At most so many objects at once; None leaves it to the memory.
    lanes
        So many parts are computed side by side, each in a thread of its own. That
        changes no bit: parts are as large as they are without.
    is_small
        Whether the network is: parts are one or an even number, so that two cores end
        together.
    """

    def __init__(
        self,
        device: torch.device,
        bytes_per_object: int,
        limit: int | None,
        lanes: int = 1,
        *,
        is_small: bool = False,
    ) -> None:
        self.device = device
        self.bytes_per_object = bytes_per_object
        self.limit = limit
        self._lanes = ThreadPoolExecutor(lanes) if lanes > 1 else None
        self._lane_count, self._is_small = lanes, is_small

    def size(self, objects: int) -> int:
        """Return how many of so many objects to compute at once."""
        working = min(self._free_bytes(), FASTEST_BATCH)
        fitting = max(1, working // self.bytes_per_object)
        return max(1, min(objects, fitting, self.limit or objects))

    def run(self, batch: Rows, compute: Callable[[Rows], Result]) -> Iterator[Result]:
        """Yield the results of the batch's parts; see `run_all`."""
        return self.run_all([(batch, compute)])

    def run_all(self, work: Iterable[Work[Rows, Result]]) -> Iterator[Result]:
        """Yield the results of all batches' parts, in order.

        Lanes go on with the next batch while parts of this one are computed. A part
        that does not fit into memory is halved, and so are all later ones.

        Raises
        ------
        ModelError
            If not even one object fits.
        """
        coming = iter(work)
        begun: deque[Work[Rows, Result]] = deque()  # and not ended
        while True:
            for part, result in self._attempts(self._parts_of(begun, coming)):
                if result is None:
                    self._halve(len(part))
                    break
                yield result
                batch, compute = begun.popleft()
                if len(part) < len(batch):
                    begun.appendleft((batch.part(len(part), len(batch)), compute))
            else:
                return

    @contextmanager
    def beside(self, work: Callable[[], object] | None) -> Iterator[None]:
        """Let a lane do something else meanwhile; without lanes it is not done.

        It has ended when the context does. If it failed nobody hears of it: whoever
        needs what it was to prepare does it again, and fails there.
        """
        if self._lanes is None or work is None:
            yield
            return
        lane = self._lanes.submit(torch.inference_mode()(work))
        try:
            yield
        finally:
            wait([lane])

    def _parts_of(
        self, begun: deque[Work[Rows, Result]], coming: Iterator[Work[Rows, Result]]
    ) -> Iterator[Work[Rows, Result]]:
        """Yield parts of what is begun, then of what comes, which is begun then."""
        for batch, compute in tuple(begun):
            yield from ((part, compute) for part in self._parts(batch))
        for batch, compute in coming:
            begun.append((batch, compute))
            yield from ((part, compute) for part in self._parts(batch))

    def _parts(self, batch: Rows) -> Iterator[Rows]:
        """Yield parts of about one size."""
        parts = start = 0
        while start < len(batch):
            left = len(batch) - start
            fewest = math.ceil(left / self.size(left))
            if not parts and self._is_small and fewest > 1:
                fewest += fewest % 2
            parts = max(parts - 1, fewest)
            part = batch.part(start, start + math.ceil(left / parts))
            yield part
            start += len(part)

    def _attempts(
        self, parts: Iterable[Work[Rows, Result]]
    ) -> Iterator[tuple[Rows, Result | None]]:
        """Yield parts with their results, in order; in lanes, some are in hand."""
        if self._lanes is None:
            yield from ((part, self._attempt(part, compute)) for part, compute in parts)
            return
        begun: deque[tuple[Rows, Future[Result | None]]] = deque()
        try:
            for part, compute in parts:
                lane = self._lanes.submit(self._attempt_in_lane, part, compute)
                begun.append((part, lane))
                if len(begun) >= self._most_begun(len(part)):
                    yield _ended(begun.popleft())
            while begun:
                yield _ended(begun.popleft())
        finally:  # nobody computes on after an error
            wait([lane for _, lane in begun if not lane.cancel()])

    def _most_begun(self, size: int) -> int:
        """Return how many parts of so many objects may be begun and not taken."""
        waits = 2 * self._lane_count  # for the lanes that are free next
        return waits if self.limit is None else max(1, min(waits, self.limit // size))

    @torch.inference_mode()
    def _attempt_in_lane(
        self, part: Rows, compute: Callable[[Rows], Result]
    ) -> Result | None:
        return self._attempt(part, compute)

    def _attempt(self, part: Rows, compute: Callable[[Rows], Result]) -> Result | None:
        """Return the result, or None if memory ran out."""
        try:
            return compute(part)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        return None  # only here has the error let go of its tensors

    def _halve(self, size: int) -> None:
        if size == 1:
            raise not_enough_memory(self.device)
        self.limit = size // 2
        logger.warning("Out of memory: going on with %d objects at once", self.limit)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _free_bytes(self) -> int:
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            cached = torch.cuda.memory_reserved(self.device)
            held = torch.cuda.memory_allocated(self.device)
            return int(DEVICE_SHARE * (free + cached - held))
        if self.device.type == "mps":
            recommended = torch.mps.recommended_max_memory()
            held = torch.mps.current_allocated_memory()
            return int(DEVICE_SHARE * max(recommended - held, 0))
        return CPU_BUDGET


def _ended(begun: tuple[Rows, Future[Result | None]]) -> tuple[Rows, Result | None]:
    part, lane = begun
    return part, lane.result()


def device_memory(device: torch.device) -> int:
    """Return how many bytes a device has in all."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory())
    return int(psutil.virtual_memory().total)


def not_enough_memory(device: torch.device) -> ModelError:
    """Return the error that tells what to do when not even one object fits."""
    return ModelError(
        f"not enough memory on {device} for one frame and one object: choose a smaller "
        "--image-size, a smaller model or --device cpu"
    )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether memory ran out; only CUDA has an error class of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    message = str(error).lower()
    return "out of memory" in message or "not enough memory" in message
