"""Sets of frames as runs: a lock on ten thousand frames is two numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameSet:
    """An immutable set of frame numbers.

    Attributes
    ----------
    runs
        ``(first, stop)`` of each run of neighbouring frames, ascending, apart from each
        other and not empty.
    """

    runs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        end = -1
        for first, stop in self.runs:
            if first <= end or stop <= first:
                raise ValueError(f"frames {self.runs} are not ascending runs apart")
            end = stop

    @classmethod
    def of(cls, frames: Iterable[int]) -> FrameSet:
        """Return the set of the given frames, in any order."""
        runs: list[tuple[int, int]] = []
        for frame in sorted(set(frames)):
            if runs and runs[-1][1] == frame:
                runs[-1] = (runs[-1][0], frame + 1)
            else:
                runs.append((frame, frame + 1))
        return cls(tuple(runs))

    @classmethod
    def between(cls, first: int, last: int) -> FrameSet:
        """Return frames ``first`` to ``last``, both included; empty if they cross."""
        return cls(((first, last + 1),)) if first <= last else cls()

    def __contains__(self, frame_index: object) -> bool:
        return isinstance(frame_index, int) and any(
            first <= frame_index < stop for first, stop in self.runs
        )

    def __iter__(self) -> Iterator[int]:
        for first, stop in self.runs:
            yield from range(first, stop)

    def __len__(self) -> int:
        return sum(stop - first for first, stop in self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __or__(self, other: FrameSet) -> FrameSet:
        merged: list[tuple[int, int]] = []
        for first, stop in sorted((*self.runs, *other.runs)):
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((first, stop))
        return FrameSet(tuple(merged))

    def __and__(self, other: FrameSet) -> FrameSet:
        common = (
            (max(first, begin), min(stop, end))
            for first, stop in self.runs
            for begin, end in other.runs
        )
        return FrameSet(tuple((first, stop) for first, stop in common if first < stop))

    def __sub__(self, other: FrameSet) -> FrameSet:
        kept = list(self.runs)
        for begin, end in other.runs:
            parts = (
                part
                for first, stop in kept
                for part in ((first, min(stop, begin)), (max(first, end), stop))
            )
            kept = [(first, stop) for first, stop in parts if first < stop]
        return FrameSet(tuple(kept))


NO_FRAMES = FrameSet()
