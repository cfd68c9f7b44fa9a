"""What an evaluation found, object by object; numbers only, ready for JSON."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRACKED_REGION = 0.5
"""J from which on a frame counts as tracked."""


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """How well one object of the truth was tracked.

    Attributes
    ----------
    object_id
        Id in the truth.
    predicted_id
        Id in the prediction; None if nothing was matched to it.
    frame_indices
        Frames that were scored.
    present
        For each of them, whether the object is in the truth.
    region_by_frame, boundary_by_frame
        J and F of each of them; F is empty if it was not asked for.
    """

    object_id: int
    predicted_id: int | None
    frame_indices: tuple[int, ...]
    present: tuple[bool, ...]
    region_by_frame: tuple[float, ...]
    boundary_by_frame: tuple[float, ...] = ()

    @property
    def region(self) -> float:
        """Mean J over the scored frames."""
        return float(np.mean(self.region_by_frame))

    @property
    def boundary(self) -> float | None:
        """Mean F over the scored frames."""
        scored = self.boundary_by_frame
        return float(np.mean(scored)) if scored else None

    @property
    def region_and_boundary(self) -> float | None:
        """J&F, the mean of both."""
        return None if self.boundary is None else (self.region + self.boundary) / 2

    @property
    def region_when_present(self) -> float:
        """Mean J over the frames on which the truth shows the object."""
        return float(np.mean(np.array(self.region_by_frame)[np.array(self.present)]))

    @property
    def tracked_fraction(self) -> float:
        """Part of the scored frames with J ≥ 0.5."""
        return float(np.mean(np.array(self.region_by_frame) >= TRACKED_REGION))

    def to_json(self, *, by_frame: bool = False) -> dict[str, object]:
        """Return a JSON-able mapping; the values of each frame only when asked for."""
        result: dict[str, object] = {
            "object": self.object_id,
            "predicted": self.predicted_id,
            "J": self.region,
            "F": self.boundary,
            "J&F": self.region_and_boundary,
            "J_when_present": self.region_when_present,
            "tracked_fraction": self.tracked_fraction,
            "frames": len(self.frame_indices),
            "frames_present": sum(self.present),
            "first_frame": self.frame_indices[0],
            "last_frame": self.frame_indices[-1],
        }
        if by_frame:
            result["frame_indices"] = list(self.frame_indices)
            result["J_by_frame"] = list(self.region_by_frame)
            result["F_by_frame"] = list(self.boundary_by_frame)
        return result


@dataclass(frozen=True, slots=True)
class MovieScore:
    """How well a movie was tracked: means over objects of means over frames (DAVIS).

    Attributes
    ----------
    objects
        One score per object of the truth, in the order of ids; at least one.
    frame_count
        Frames that were looked at.
    """

    objects: tuple[ObjectScore, ...]
    frame_count: int

    @property
    def region(self) -> float:
        """Mean J."""
        return float(np.mean([score.region for score in self.objects]))

    @property
    def boundary(self) -> float | None:
        """Mean F; None if it was not asked for."""
        values = [score.boundary for score in self.objects]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    @property
    def region_and_boundary(self) -> float | None:
        """J&F, the mean of both."""
        return None if self.boundary is None else (self.region + self.boundary) / 2

    def to_json(self, *, by_frame: bool = False) -> dict[str, object]:
        """Return a JSON-able mapping, one entry per object under ``"objects"``."""
        return {
            "J": self.region,
            "F": self.boundary,
            "J&F": self.region_and_boundary,
            "frames": self.frame_count,
            "objects": [score.to_json(by_frame=by_frame) for score in self.objects],
        }
