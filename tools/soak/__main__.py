"""Break files of every kind that is read, at random, and see what the readers say.

    python -m tools.soak prompts --seconds 120

A reader may return, or raise an error of ours in one line. All else is a fault: another
exception, a message of several lines, a warning, or more than a few seconds of silence.
The last line has the numbers; the exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zarr
from tools.soak import documents, pictures

from napari_sam2.errors import NapariSam2Error
from napari_sam2.train.recipe.config import read_config

SILENCE = 10.0
"""Seconds after which a person would think that it hangs."""


@dataclass
class Tally:
    """What became of the mutations of one kind of file."""

    tried: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def take(self, read: Callable[[Path], object], path: Path) -> None:
        """Let a reader read, and note what it does."""
        self.tried += 1
        is_refused, fault, seconds = _outcome(read, path)
        if seconds > SILENCE:
            # A machine that is busy elsewhere is slow once, a reader each time.
            seconds = _outcome(read, path)[2]
        self.refused += is_refused
        if fault:
            self.faults[fault] += 1
        if seconds > SILENCE:
            self.faults[f"{SILENCE:g} s of silence"] += 1


def _outcome(read: Callable[[Path], object], path: Path) -> tuple[bool, str, float]:
    """Return whether a reader refused, what fault that was if any, and its seconds."""
    begin, is_refused, fault = time.monotonic(), False, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for kind in (zarr.errors.ZarrUserWarning, ResourceWarning):
                warnings.simplefilter("ignore", kind)
            read(path)
    except NapariSam2Error as error:
        is_refused = True
        if not str(error).isprintable():
            fault = f"no single line: {error!s:.200}"
    except Exception as error:  # noqa: BLE001 - any is a fault to be counted
        fault = _where(error)
    return is_refused, fault, time.monotonic() - begin


def _where(error: BaseException) -> str:
    """Name an exception and the last line of ours that it went through."""
    place, step = "", error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if "napari_sam2" in file:
            place = f"{file.rsplit('napari_sam2/', 1)[-1]}:{step.tb_lineno}"
        step = step.tb_next
    return f"{type(error).__name__} at {place}: {str(error)[:120]!r}"


Mutations = Callable[[Path, random.Random], Iterator[Path]]
KINDS: dict[str, tuple[Callable[[Path], object], Mutations]] = {
    "prompts": (documents.read_prompts, documents.prompts),
    "tables": (documents.read_prompts, documents.tables),
    "recipes": (read_config, documents.recipes),
    "zarrs": (pictures.read_movie, pictures.zarrs),
    "runs": (documents.read_run, documents.runs),
    "sessions": (documents.read_session, documents.sessions),
    "plans": (documents.read_plan, documents.plans),
    "tracked": (documents.read_tracked, documents.tracked),
    "descriptions": (pictures.read_movie, pictures.descriptions),
    "tiffs": (pictures.read_movie, pictures.tiffs),
    "labels": (pictures.read_labels, pictures.tiffs),
    "images": (pictures.read_movie, pictures.images),
}


def soak(kind: str, folder: Path, *, rounds: int, seconds: float, seed: int) -> Tally:
    """Break files of a kind and read them.

    Parameters
    ----------
    kind
        One of `KINDS`.
    folder
        Scratch.
    rounds, seconds
        How often or how long, whatever is reached first.
    seed
        Of all that is drawn.
    """
    read, mutate = KINDS[kind]
    tally, end = Tally(), time.monotonic() + seconds
    for path in mutate(folder, random.Random(seed)):
        tally.take(read, path)
        if tally.tried >= rounds or time.monotonic() > end:
            break
    return tally


def main() -> int:
    """Soak what was asked for; return 1 after a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=[*KINDS, "all"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    faults = 0
    for kind in KINDS if chosen.kind == "all" else [chosen.kind]:
        with tempfile.TemporaryDirectory() as folder:
            tally = soak(
                kind,
                Path(folder),
                rounds=chosen.rounds,
                seconds=chosen.seconds,
                seed=chosen.seed,
            )
        for fault, count in tally.faults.most_common(20):
            sys.stdout.write(f"  {count} × {fault}\n")
        count = tally.faults.total()
        sys.stdout.write(
            f"{kind}: {tally.tried} tried, {tally.refused} refused, {count} faults\n"
        )
        sys.stdout.flush()
        faults += count
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
