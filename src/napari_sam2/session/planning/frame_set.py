"""Sets of frames as runs: a lock on ten thousand frames is two numbers."""

from __future__ import annotations

from bisect import bisect_right
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

    @classmethod
    def union(cls, sets: Iterable[FrameSet]) -> FrameSet:
        """Return the frames that any of some sets holds."""
        merged: list[tuple[int, int]] = []
        for first, stop in sorted(run for frames in sets for run in frames.runs):
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((first, stop))
        return cls(tuple(merged))

    def __contains__(self, frame_index: object) -> bool:
        if not isinstance(frame_index, int):
            return False
        after = bisect_right(self.runs, frame_index, key=lambda run: run[0])
        return after > 0 and frame_index < self.runs[after - 1][1]

    def __iter__(self) -> Iterator[int]:
        for first, stop in self.runs:
            yield from range(first, stop)

    def __len__(self) -> int:
        return sum(stop - first for first, stop in self.runs)

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __or__(self, other: FrameSet) -> FrameSet:
        return FrameSet.union((self, other)) if self and other else self or other

    def __and__(self, other: FrameSet) -> FrameSet:
        return self - (self - other)

    def __sub__(self, other: FrameSet) -> FrameSet:
        kept, others, at = [], other.runs, 0
        for first, stop in self.runs:
            while at < len(others) and others[at][1] <= first:
                at += 1
            while at < len(others) and others[at][0] < stop:
                begin, end = others[at]
                if first < begin:
                    kept.append((first, begin))
                first = max(first, end)
                if end > stop:
                    break
                at += 1
            if first < stop:
                kept.append((first, stop))
        return FrameSet(tuple(kept))


NO_FRAMES = FrameSet()
