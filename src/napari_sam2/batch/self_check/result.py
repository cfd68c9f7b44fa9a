"""What a self-check found, how it is judged, and where it is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_sam2 import __version__
from napari_sam2.errors import InputError, OutputError
from napari_sam2.paths import read_text, replace_text

SUFFIX = ".self-check.json"

MARGIN = 0.05
"""A model that holds loses at most so much of the best one's J&F."""
GOOD = 0.7
"""J&F below which no model is good enough to be left alone."""
FEW = 8
"""Fewer hidden frames leave much to chance."""
RESAMPLES, LEVEL = 2000, 0.95


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class HiddenFrame(_Part):
    """What a model made of one hidden mask.

    Attributes
    ----------
    region, boundary
        J and F of the mask that was tracked to there.
    switched
        Whether that mask lies more on another object than on its own.
    clicks
        Simulated clicks until J is 0.8 or more; 0 if it was at once.
    """

    object_id: int
    frame_index: int
    region: float
    boundary: float
    switched: bool
    clicks: int

    @property
    def score(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


class ModelCheck(_Part):
    """How one model did.

    Attributes
    ----------
    model
        Name or path.
    parameters
        How many numbers it consists of: its size.
    hidden
        What was measured, in the same order for each model.
    seconds_per_frame
        Median of the time for a frame, with the objects of the check.
    memory_bytes
        Largest resident memory of the process meanwhile; on CUDA, of the device.
    refused
        Why it could not be measured; empty if it was.
    """

    model: str
    parameters: int = 0
    hidden: tuple[HiddenFrame, ...] = ()
    seconds_per_frame: float = 0.0
    memory_bytes: int = 0
    refused: str = ""

    @property
    def scores(self) -> np.ndarray:
        """J&F of each hidden frame."""
        return np.array([one.score for one in self.hidden])

    @property
    def region(self) -> float:
        """Mean J."""
        return float(np.mean([one.region for one in self.hidden]))

    @property
    def boundary(self) -> float:
        """Mean F."""
        return float(np.mean([one.boundary for one in self.hidden]))

    @property
    def score(self) -> float:
        """Mean J&F."""
        return float(self.scores.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the mean J&F lies, as far as these frames tell."""
        return interval(self.scores)

    @property
    def switches(self) -> int:
        """Identity switches."""
        return sum(one.switched for one in self.hidden)

    @property
    def clicks(self) -> float:
        """Mean number of clicks that a hidden frame needs."""
        return float(np.mean([one.clicks for one in self.hidden]))

    def row(self) -> dict[str, object]:
        """Return the line of the table, without what was refused."""
        low, high = self.interval
        return {
            "model": self.model,
            "parameters": f"{self.parameters / 1e6:.1f} M",
            "J": round(self.region, 3),
            "F": round(self.boundary, 3),
            "J&F": round(self.score, 3),
            "95 %": f"{low:.2f}–{high:.2f}",
            "switches": self.switches,
            "clicks": round(self.clicks, 1),
            "s/frame": round(self.seconds_per_frame, 3),
            "memory": f"{self.memory_bytes / 1e9:.2f} GB",
        }


class SelfCheck(_Part):
    """What a self-check found.

    Attributes
    ----------
    version
        Of napari-sam2.
    masklets, name
        What was checked.
    objects, frames
        How many objects had hidden frames, and how many these were.
    models
        How each model did, the smallest first.
    recommended, reason
        The smallest that holds, and why; empty if none could be measured.
    remarks
        What people should know.
    """

    version: str = __version__
    masklets: str
    name: str
    objects: int
    frames: int
    models: tuple[ModelCheck, ...]
    recommended: str = ""
    reason: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def measured(self) -> list[ModelCheck]:
        """Models that were not refused."""
        return [one for one in self.models if not one.refused]

    def write(self, path: Path) -> None:
        """Write it as JSON, replacing an earlier one.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        try:
            replace_text(path, self.model_dump_json(indent=1))
        except OSError as error:
            raise OutputError(
                f"{path}: the self-check cannot be written: {error.strerror}; give "
                "another place with --out"
            ) from error


def kept_path(masklets: Path, name: str) -> Path:
    """Return where a self-check is kept: beside the masklets, not in them."""
    return masklets.parent / f"{masklets.name}.{name}{SUFFIX}"


def check_writable(path: Path) -> None:
    """Refuse a place where nothing can be written, before hours of work.

    Raises
    ------
    OutputError
        If the folder is missing or closed, or a file there is no earlier self-check.
    """
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
        raise OutputError(
            f"{path}: no file can be written there: give another place with --out"
        )
    if os.path.lexists(path) and _read(path) is None:
        raise OutputError(
            f"{path}: is there, and is no self-check: give another place with --out"
        )


def read_kept(masklets: Path, name: str) -> SelfCheck | None:
    """Return what an earlier self-check of masklets found, if one was kept."""
    return _read(kept_path(masklets, name))


def _read(path: Path) -> SelfCheck | None:
    """Return the self-check that a file holds; None if it holds none."""
    try:
        return SelfCheck.model_validate_json(read_text(path, "JSON"))
    except (InputError, ValidationError):
        return None


# --- How it is judged


def judged(check: SelfCheck) -> SelfCheck:
    """Return the check with a recommendation: the smallest model that holds.

    A model holds if its mean J&F is at most `MARGIN` below the best one's, and the 95 %
    interval of the difference, from drawing the hidden frames anew, reaches zero. Of
    equal sizes the better one is taken.
    """
    measured = check.measured
    if not measured:
        return check
    best = max(measured, key=lambda one: one.score)
    held = [one for one in measured if holds(one, best)]
    chosen = min(held, key=lambda one: (one.parameters, -one.score))
    return check.model_copy(
        update={
            "recommended": chosen.model,
            "reason": _reason(chosen, best, len(measured)),
            "remarks": (*check.remarks, *_remarks(check, best)),
        }
    )


def holds(model: ModelCheck, best: ModelCheck) -> bool:
    """Whether a model is as good as the best one, as far as the hidden frames tell."""
    lost = best.scores - model.scores
    return float(lost.mean()) <= MARGIN and interval(lost)[0] <= 0


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by drawing the ``(n,)`` values anew."""
    drawn = np.random.default_rng(0).integers(
        len(values), size=(RESAMPLES, len(values))
    )
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(values[drawn].mean(axis=1), (tail, 100 - tail))
    return float(low), float(high)


def _reason(chosen: ModelCheck, best: ModelCheck, count: int) -> str:
    if count == 1:
        return "it is the only model that was measured"
    if chosen is best:
        return (
            f"no smaller model comes as near as {MARGIN} to its J&F of {best.score:.3f}"
        )
    return (
        f"its J&F of {chosen.score:.3f} is not measurably below the best, "
        f"{best.score:.3f} of {best.model}"
    )


def _remarks(check: SelfCheck, best: ModelCheck) -> Sequence[str]:
    remarks = []
    if check.frames < FEW:
        remarks.append(
            f"{check.frames} hidden frames are few, much is left to chance: correct "
            f"more frames, {FEW} or more of different objects"
        )
    if best.score < GOOD:
        remarks.append(
            f"no model is good here (best J&F {best.score:.2f}): correct more frames, "
            "or fine-tune one on what you corrected (napari-sam2 fine-tune)"
        )
    return remarks
