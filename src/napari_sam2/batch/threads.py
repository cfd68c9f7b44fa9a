"""How many threads torch computes on; where it is left to us, measured and remembered.

Of a large model the number decides the last bits of a result, so it is chosen once for
a machine and a model, kept in a file, and written into plan and provenance like one
that was asked for. A small one takes one thread for each batch of objects, and as many
batches at once (`Precision.sharing_cores`).
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil

from napari_sam2.batch.models import loaded_model
from napari_sam2.model.checkpoints.download import cache_folder
from napari_sam2.model.checkpoints.weights_file import weights_sha256
from napari_sam2.paths import replace_text
from napari_sam2.prompts import BoxPrompt, FramePrompt

if TYPE_CHECKING:
    from napari_sam2.tracking.predictor import StreamingPredictor

logger = logging.getLogger(__name__)

Threads = int | Literal["auto"] | None

SAID_BY_SYSTEM = "OMP_NUM_THREADS"
CHOICES_FILE = "threads.json"
TRIAL_SHAPE = (256, 256)
TRIAL_STEPS, TRIAL_ROUNDS, SHARED_OBJECTS = 3, 3, 8
WORTH_IT = 0.9
"""More threads are taken where a frame takes at most this share of its time."""


def use_threads(threads: Threads, model: str) -> None:
    """Let torch compute on as many threads as `thread_count` says."""
    import torch

    if threads is not None:
        torch.set_num_threads(thread_count(threads, model))


def thread_count(threads: Threads, model: str) -> int:
    """Return on how many threads torch would compute.

    Parameters
    ----------
    threads
        How many; ``"auto"`` for what is fastest with the model on this machine; None
        leaves torch as it is.
    model
        Name or path.
    """
    import torch

    if threads == "auto":
        return chosen_threads(model, cache_folder() / CHOICES_FILE)
    return threads or torch.get_num_threads()


def chosen_threads(
    model: str, memory: Path, seconds: Callable[[int], float] | None = None
) -> int:
    """Return the number of threads to use with a model on this machine.

    What ``OMP_NUM_THREADS`` says, if it is set; else what was chosen before; else what
    a trial of some seconds finds fastest, which is remembered.

    Parameters
    ----------
    model
        Name or path.
    memory
        JSON file of earlier choices; it need not exist.
    seconds
        Returns how long a frame takes on so many threads; measured unless given.
    """
    said = os.environ.get(SAID_BY_SYSTEM, "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    key = f"{_machine()}, weights {weights_sha256(model)[:16]}"
    known = _remembered(memory)
    if key not in known:
        known[key] = fastest(thread_counts(), seconds or _Trial(model).seconds)
        logger.info("%d threads are fastest with %s here", known[key], model)
        _remember(memory, known)
    return known[key]


def thread_counts() -> list[int]:
    """Return what is tried: 1, 2, 4 … and the physical cores."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return sorted({cores, *(2**power for power in range(cores.bit_length()))})


def fastest(counts: Sequence[int], seconds: Callable[[int], float]) -> int:
    """Return the fewest threads that more of them are not worth.

    Parameters
    ----------
    counts
        What to try, ascending.
    seconds
        Returns how long a frame takes on so many threads. Asked in turns, because a
        machine is not equally busy all the time; the least of each count says.
    """
    turns = [[seconds(count) for count in counts] for _ in range(TRIAL_ROUNDS)]
    least = [min(each) for each in zip(*turns, strict=True)]
    best, taken = counts[0], least[0]
    for count, time_of in zip(counts[1:], least[1:], strict=True):
        if time_of <= WORTH_IT * taken:
            best, taken = count, time_of
    return best


def frame_seconds(predictor: StreamingPredictor, objects: int) -> float:
    """Return the seconds of a frame of `TRIAL_SHAPE`, the first two not counted."""
    noise = np.random.default_rng(0)
    frames = noise.integers(0, 255, (TRIAL_STEPS + 2, *TRIAL_SHAPE, 3), np.uint8)
    box = BoxPrompt(100, 100, 150, 150)
    prompts = [FramePrompt(one + 1, 0, box=box) for one in range(objects)]
    predictor.step(0, frames[0], prompts)
    predictor.step(1, frames[1])
    begin = time.perf_counter()
    for index in range(2, len(frames)):
        predictor.step(index, frames[index])
    return (time.perf_counter() - begin) / TRIAL_STEPS


class _Trial:
    """Tracks through a few frames, on so many threads as asked.

    One object; of a small model several, since its threads share objects out.
    """

    def __init__(self, model: str) -> None:
        self.model = loaded_model(model)

    def seconds(self, threads: int) -> float:
        """Return the seconds of a frame; torch has its threads back afterwards."""
        import torch

        from napari_sam2.tracking.predictor import StreamingPredictor

        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            predictor = StreamingPredictor(
                self.model, frame_shape=TRIAL_SHAPE, device="cpu"
            )
            is_small = predictor.precision.threads is not None
            return frame_seconds(predictor, SHARED_OBJECTS if is_small else 1)
        finally:
            torch.set_num_threads(before)


def _machine() -> str:
    """Return what makes a choice void when it changes; homes are shared by machines."""
    import torch

    instructions = torch.backends.cpu.get_cpu_capability()
    cores = f"{os.cpu_count()} processors"
    return ", ".join(
        (platform.node(), cores, instructions, f"torch {torch.__version__}")
    )


def _remembered(memory: Path) -> dict[str, int]:
    """Return earlier choices; a file that nobody can read is as good as none."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    choices = known.items() if isinstance(known, dict) else ()
    return {key: n for key, n in choices if isinstance(n, int) and n > 0}


def _remember(memory: Path, choices: dict[str, int]) -> None:
    """Write the choices; where that is not allowed the next process tries again."""
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        replace_text(memory, json.dumps(choices, indent=1) + "\n")
    except OSError as error:
        logger.warning("The number of threads is not remembered: %s", error)
