"""*Make it so* for one movie: whatever is there already, its masklets are whole then.

What is complete is left alone, told without torch; what was begun goes on; what is not
there begins. Errors become outcomes: a movie never stops those after it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam2.batch.automatic import find_objects
from napari_sam2.batch.job import Run, TrackJob, holds_run
from napari_sam2.batch.plan.plan import PlannedMovie
from napari_sam2.batch.report.outcome import (
    IsCancelled,
    MovieOutcome,
    MovieProgress,
    OnProgress,
    State,
    never,
    nobody,
)
from napari_sam2.batch.report.summary import summary_of
from napari_sam2.batch.volumes.run import VolumeRun, open_job
from napari_sam2.errors import (
    UNFORESEEN,
    InputError,
    NapariSam2Error,
    OutputError,
    in_our_words,
)
from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import (
    MaskletMovie,
    masklets_of,
    masklets_of_stacks,
)
from napari_sam2.io.label_store.verification import verify
from napari_sam2.model.checkpoints.weights_file import weights_sha256
from napari_sam2.paths import refuse_taken
from napari_sam2.session.session import FrameDone

MOMENT = 0.1
"""Seconds between two looks at whether somebody cancelled, while waiting."""
SHOWN = 3
"""Most faults that an error names."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a movie is tried again, and after how many seconds."""

    retries: int = 3
    delay: float = 30.0


ONCE = Patience(0, 0.0)


def make_it_so(
    planned: PlannedMovie,
    patience: Patience = ONCE,
    on_progress: OnProgress = nobody,
    is_cancelled: IsCancelled = never,
) -> MovieOutcome:
    """Track a movie unless that was done; try again what may pass.

    Parameters
    ----------
    patience
        How often it is tried again where a lock or a disk is in the way. What was given
        and models are never tried again.
    on_progress
        Told after each frame how far it is.
    is_cancelled
        Asked after each frame; what was written is committed then.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            outcome = _attempt(planned, on_progress, is_cancelled)
        except UNFORESEEN as error:
            outcome = _failure(planned, in_our_words(error), error)
        except NapariSam2Error as error:
            outcome = _failure(planned, error, error)
        outcome = outcome.model_copy(update={"attempts": attempt})
        if outcome.state != "failed" or attempt > patience.retries:
            return outcome
        if not _waited(patience.delay, is_cancelled):
            return outcome.model_copy(update={"state": "cancelled"})


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed later.

    A lock, the disk or the network was in the way then.

    What is missing, is not allowed, or was given wrongly stays so.
    """
    if isinstance(error, OutputError):
        return isinstance(error.__cause__, OSError)
    if isinstance(error, InputError):
        return isinstance(error.__cause__, ConnectionError)
    lasting = (FileNotFoundError, PermissionError, NotADirectoryError, FileExistsError)
    return isinstance(error, OSError) and not isinstance(error, lasting)


def request_key(planned: PlannedMovie) -> str:
    """Return a hash of all that was asked, with the size and time of its files.

    Where it is the same, and the masklets are whole, nothing has to be read.
    """
    job = planned.job
    stamps = [_stamp(path) for path in (job.movie, *job.prompt_files)]
    facts = (planned.model_dump_json(), weights_sha256(job.model_options.model), stamps)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def is_complete(planned: PlannedMovie, request: str) -> bool:
    """Whether an earlier outcome with this request still holds."""
    job = planned.job
    if not request or not job.output.exists or request_key(planned) != request:
        return False
    exported = all(path.exists() for path in planned.exports.values())
    return job.is_complete and exported


def _attempt(
    planned: PlannedMovie, on_progress: OnProgress, is_cancelled: IsCancelled
) -> MovieOutcome:
    _refuse_foreign_exports(planned)
    if planned.discovery is not None and planned.is_to_be_prompted:
        with closing(find_objects(planned.discovery)) as looks:
            for _ in looks:
                if is_cancelled():
                    return outcome_of(planned, "cancelled")

    def tell(done: FrameDone) -> None:
        on_progress(MovieProgress(planned.title, done.position, done.total))

    with open_job(_settled(planned.job)) as run:
        if not _followed(run, tell, is_cancelled):
            return _reached(planned, run, "cancelled")
        exports = _write_exports(planned, _masklets_of(run))
        outcome = _reached(planned, run, "complete" if run.is_finished else "done")
    seen = {"exports": exports, "summary": summary_of(planned.job)}
    seen |= {"verified": _verified(planned.job), "request": request_key(planned)}
    return outcome.model_copy(update=seen)


def _settled(job: TrackJob) -> TrackJob:
    """Return the job that ends where the request does, from what is there."""
    if job.merge is not None and job.output.exists and not holds_run(job):
        return job
    return job.model_copy(update={"resume": True})


def _followed(
    run: Run | VolumeRun, tell: Callable[[FrameDone], None], is_cancelled: IsCancelled
) -> bool:
    """Track to the end; return whether it was reached."""
    with closing(run.frames()) as steps:
        for done in steps:
            tell(done)
            if is_cancelled() and done.position < done.total:
                return False
    return True


def _verified(job: TrackJob) -> str:
    """Return what `verify` says of masklets that are whole."""
    (found,) = verify(job.out, job.name)
    if not found.is_whole:
        faults = "; ".join(str(fault) for fault in found.faults[:SHOWN])
        more = len(found.faults) - SHOWN
        raise OutputError(
            f"{found.labels} is damaged: {faults}{f' and {more} more' * (more > 0)}; "
            "check the disk, remove this folder, and run the plan again"
        )
    return f"whole, {found.whole_frames} of {found.frame_count} frames computed"


def _reached(planned: PlannedMovie, run: Run | VolumeRun, state: State) -> MovieOutcome:
    """Return the outcome of a run, as far as it came."""
    report = run.report()
    return outcome_of(
        planned,
        state,
        objects=report.objects,
        frames=report.frames_total,
        frames_computed=report.frames_computed,
        seconds=report.seconds,
        frames_per_second=report.frames_per_second,
        peak_memory_bytes=report.peak_memory_bytes,
        remark="; ".join(filter(None, (run.remark, run.mended))),
    )


def outcome_of(planned: PlannedMovie, state: State, **known: Any) -> MovieOutcome:
    """Return an outcome of a movie; what else is known of it are fields."""
    job = planned.job
    return MovieOutcome(
        title=planned.title,
        movie=str(job.movie),
        labels=str(job.out / "labels" / job.name),
        state=state,
        **known,
    )


def _failure(
    planned: PlannedMovie, error: NapariSam2Error, cause: BaseException
) -> MovieOutcome:
    state: State = "failed" if may_pass(cause) else "refused"
    return outcome_of(planned, state, error=str(error), exit_code=error.exit_code)


def _refuse_foreign_exports(planned: PlannedMovie) -> None:
    """Refuse exports that are there before the masklets are: they are of others."""
    if planned.job.output.exists:
        return
    for path in planned.exports.values():
        refuse_taken(
            path,
            "the masklets that it is to hold do not; move it elsewhere, or give "
            "exports another pattern",
        )


def _masklets_of(run: Run | VolumeRun) -> MaskletMovie:
    if isinstance(run, VolumeRun):
        return masklets_of_stacks(run.volume)
    return masklets_of(run.store)


def _write_exports(planned: PlannedMovie, masklets: MaskletMovie) -> tuple[str, ...]:
    written = []
    for name, path in planned.exports.items():
        if not path.exists():
            export(masklets, path, name)
        written.append(str(path))
    return tuple(written)


def _waited(seconds: float, is_cancelled: IsCancelled) -> bool:
    """Wait; return False at once if somebody cancels."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if is_cancelled():
            return False
        time.sleep(min(left, MOMENT))
    return not is_cancelled()


def _stamp(path: Path) -> tuple[str, int, int]:
    """Return when a file was changed, and its size; a zarr has its metadata's."""
    for one in (path / "zarr.json", path / ".zattrs", path / ".zarray", path):
        try:
            status = one.stat()
        except OSError:
            continue
        return str(path), status.st_mtime_ns, status.st_size
    return str(path), 0, 0
