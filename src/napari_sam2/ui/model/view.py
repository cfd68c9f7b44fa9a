"""What the model panel shows, as sentences made of values. Nothing of Qt or torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from napari_sam2.engine import Tiles
from napari_sam2.errors import ModelError, torch_command
from napari_sam2.interfaces import TrackerSettings
from napari_sam2.model.checkpoints.download import DownloadStep, model_path, verify
from napari_sam2.model.checkpoints.registry import REGISTRY, ModelFile
from napari_sam2.model.checkpoints.weights_file import (
    follows_one_component,
    published_config,
)
from napari_sam2.model.config import Sam2Config
from napari_sam2.texts import clock_text
from napari_sam2.tracking.memory.budget import BudgetPlan, plan_budget
from napari_sam2.ui.widgets.pace import bytes_text

TRUST = {
    "registry": "the published file",
    "person": "the file whose hash was accepted by hand",
    "package": "bundled with this installation",
}


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What tracks, where, in which numbers and in how much memory.

    Attributes
    ----------
    model
        Name of a model or path of a checkpoint.
    device
        ``"auto"``, ``"cpu"``, ``"mps"``, ``"cuda:0"`` …
    precision
        Key of `precision_titles`.
    memory_bytes
        What objects may take on the device; None for what is free.
    """

    model: str
    device: str = "auto"
    precision: str = "auto"
    memory_bytes: int | None = None
    tiles: Tiles = None
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    @property
    def budget(self) -> BudgetPlan | None:
        """What the memory allows; None without a budget, or for an own file.

        Which network an own file holds is known only once it is loaded.
        """
        entry = REGISTRY.get(self.model)
        if entry is None or self.memory_bytes is None:
            return None
        return budget_of(
            published_config(entry.name), entry.bytes or 0, self.memory_bytes
        )


@dataclass(frozen=True, slots=True)
class ModelState:
    """Whether the file of a model is on this machine, and whole.

    Attributes
    ----------
    name
        Name or path of the model.
    one_component
        Whether its objects are best followed in one piece, as far as it is here.
    """

    name: str
    is_here: bool
    sentence: str
    one_component: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is missing, and the command that mends it.

    Attributes
    ----------
    command
        What to type into a terminal; empty if no command helps.
    """

    sentence: str
    command: str = ""


def budget_of(config: Sam2Config, model_bytes: int, total_bytes: int) -> BudgetPlan:
    """Say what a budget allows with a network at the size that it is shown."""
    return plan_budget(
        config, config.image_size, total_bytes=total_bytes, model_bytes=model_bytes
    )


def budget_text(choice: ModelChoice, objects: int) -> str:
    """Say what the memory budget allows.

    Parameters
    ----------
    objects
        How many objects there are now.
    """
    if choice.model not in REGISTRY:
        return "What an own model needs is known once it is loaded."
    one = bytes_text(budget_of(published_config(choice.model), 0, 0).computed_bytes)
    if choice.memory_bytes is None:
        return (
            f"As many objects at once as the free memory holds, {one} each. The length "
            "of the movie does not matter."
        )
    plan, total = choice.budget, bytes_text(choice.memory_bytes)
    if plan is None or plan.objects == 0:
        return f"⚠ {total} are too little: one object takes {one} besides the weights."
    several = max(1, objects)
    text = (
        f"{total} hold up to {plan.objects:,} objects, however long the movie. "
        f"Of {several} objects, {plan.at_once(several)} are computed at once "
        f"({one} each)."
    )
    if objects > plan.objects:
        return f"⚠ {objects} objects are too many. {text}"
    return text


def look_up_model(name: str, *, check: bool = False) -> ModelState:
    """Look for the file of a model; to be called in the worker.

    Parameters
    ----------
    name
        Name or path of the model.
    check
        Whether to read the file and compare its hash.

    Raises
    ------
    ModelError
        If the file is broken, or was to be checked and is absent.
    """
    entry = REGISTRY.get(name)
    if entry is None:
        return _own_state(name, Path(name).expanduser())
    state, path = _published_state(name, entry, check=check), model_path(name)
    return replace(state, one_component=path.exists() and follows_one_component(path))


def _own_state(name: str, path: Path) -> ModelState:
    if not path.is_file():
        return ModelState(name, False, f"{path} is not there.")
    return ModelState(name, True, str(path), follows_one_component(path))


def _published_state(name: str, entry: ModelFile, *, check: bool) -> ModelState:
    side = f" Sees frames as {published_config(name).image_size}² pixels."
    if entry.is_bundled and not check:
        return ModelState(name, True, f"{TRUST['package'].capitalize()}.{side}")
    path = model_path(name)
    if check:
        found = verify(name)
        trust = TRUST[found.trusted_by]
        return ModelState(
            name, True, f"Checked: {trust} (SHA-256 {found.sha256[:8]}…)."
        )
    if path.exists():
        return ModelState(name, True, f"On this machine.{side}")
    return ModelState(name, False, f"{_absent_text(entry)}{side}")


def download_text(step: DownloadStep, rate: float | None) -> str:
    """Say how far a download is.

    Parameters
    ----------
    rate
        Bytes per second; None while it is unknown.
    """
    if step.stage == "waiting":
        return "Another process is downloading this file: waiting for it …"
    if step.stage == "checking":
        return "Checking the file …"
    total = f" of {bytes_text(step.total)}" if step.total else ""
    text = f"{bytes_text(step.here)}{total}"
    if rate and step.total:
        left = clock_text((step.total - step.here) / rate)
        return f"{text}, {bytes_text(rate)}/s, {left} left"
    return text


def problem_of(error: Exception, model: str) -> Problem:
    """Return what an error means to somebody who wants to use a model.

    Parameters
    ----------
    error
        What loading the model, or looking for devices, raised.
    """
    cause = error.__cause__
    if isinstance(cause, ImportError | RuntimeError):
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        return Problem(
            f"torch and torchvision cannot be used here ({reason}). Run this in a "
            "terminal, then start napari again:",
            torch_command(),
        )
    entry = REGISTRY.get(model)
    if isinstance(error, ModelError) and entry is not None and not entry.is_bundled:
        return Problem(
            f"{error}. The same from a terminal, also on another machine:",
            f"napari-sam2 models download {entry.name}",
        )
    return Problem(str(error))


def model_title(entry: ModelFile) -> str:
    """Return what the list calls a model."""
    if entry.is_bundled:
        return f"{entry.name} (bundled)"
    size = entry.name.removeprefix("sam2.1_").replace("base_plus", "base+")
    length = f" ({bytes_text(entry.bytes)})" if entry.bytes else ""
    return f"SAM 2.1 {size}{length}"


def precision_titles() -> dict[
    Literal["auto", "fp32", "fp32-fast", "bf16", "fp16"], str
]:
    """Return the precisions, and what the list calls them."""
    return {
        "auto": "automatic",
        "fp32": "32 bit",
        "fp32-fast": "32 bit, faster on CPUs",
        "bf16": "16 bit (bf16)",
        "fp16": "16 bit (fp16)",
    }


def _absent_text(entry: ModelFile) -> str:
    size = f", {bytes_text(entry.bytes)}" if entry.bytes else ""
    return f"Not on this machine yet: downloaded once{size}."
