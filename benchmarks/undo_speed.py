"""How long an undo of a long propagation takes, and what a saved session costs.

``python benchmarks/undo_speed.py [--frames 2000] [--side 512] [--objects 20]`` writes a
movie's masklets, tracks it once more within a step, and measures undo, redo, and saving
and reading a session of 200 objects with five prompts each.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sam2.interfaces import FrameResult, ObjectScores
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState

LOGITS_SHAPE = (48, 48)


def create(path, frames, side, ids):
    """Create an empty store."""
    return OmeZarrLabelStore.create(
        path,
        frame_count=frames,
        frame_shape=(side, side),
        logits_shape=LOGITS_SHAPE,
        objects=[PromptedObject(one) for one in ids],
        provenance=Provenance(
            model="nano",
            weights_sha256="",
            device="cpu",
            precision="fp32",
            threads=1,
            plugin_version="0",
        ),
    )


def result(frame, side, ids, shift):
    """Return squares on a diagonal, their logits and scores."""
    labels = np.zeros((side, side), np.uint16)
    logits = np.full((len(ids), *LOGITS_SHAPE), -9.0, np.float32)
    step = side // (len(ids) + 1)
    for row, one in enumerate(ids):
        at = (row * step + frame + shift) % (side - step)
        labels[at : at + step // 2, row * step : row * step + step // 2] = one
        logits[row, at * 48 // side, row * step * 48 // side] = 3.5
    half = np.full(len(ids), 0.5, np.float32)
    area = np.bincount(labels.ravel(), minlength=max(ids) + 1)[list(ids)]
    return FrameResult(frame, labels, ids, logits, ObjectScores(half, half, half, area))


def track(store, frames, side, ids, shift):
    """Write all frames; return milliseconds a frame."""
    begin = time.perf_counter()
    for frame in range(frames):
        store.write(result(frame, side, ids, shift))
    store.finish()
    return (time.perf_counter() - begin) / frames * 1000


def seconds(call):
    """Return wall and processor seconds of a call, the first in front."""
    begin, worked = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begin, time.process_time() - worked


def median(times):
    """Return the middle one of pairs of times."""
    return sorted(times)[len(times) // 2]


def book_of(objects, prompts):
    """Return a book of objects with prompts of three points."""
    return BookState(
        tuple(
            ObjectState(
                one,
                f"cell {one}",
                prompts=tuple(
                    FramePrompt(one, frame * 10, (PointPrompt(3.25, frame + 0.5),) * 3)
                    for frame in range(prompts)
                ),
            )
            for one in range(1, objects + 1)
        )
    )


def saving(store):
    """Return how long it takes to save 200 objects, one of them anew, and to read."""
    book = book_of(200, 5)
    cold = seconds(lambda: store.save_session(SessionDocument(book=book)))
    warm = []
    for number in range(1, 21):
        book = book.with_objects([ObjectState(number, "renamed")])
        document = SessionDocument(book=book)
        warm.append(seconds(lambda document=document: store.save_session(document)))
    read = seconds(store.read_session)
    return {"save all": cold, "save a change": median(warm), "read": read}


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--objects", type=int, default=20)
    given = parser.parse_args()
    ids = tuple(range(1, given.objects + 1))
    with tempfile.TemporaryDirectory() as folder:
        store = create(Path(folder) / "x.zarr", given.frames, given.side, ids)
        plain = track(store, given.frames, given.side, ids, 0)
        store.history.begin("track", BookState(), BookState())
        kept = track(store, given.frames, given.side, ids, 5)
        print(f"write: {plain:.2f} ms a frame; within a step: {kept:.2f} ms")
        shown = {}
        for turn in (1, 2):
            shown[f"undo {turn}"] = seconds(store.history.undo)
            shown[f"redo {turn}"] = seconds(store.history.redo)
        shown["begin"] = median(
            [
                seconds(lambda: store.history.begin("", BookState(), BookState()))
                for _ in range(20)
            ]
        )
        for name, (wall, worked) in (shown | saving(store)).items():
            print(f"{name}: {wall * 1000:.1f} ms, {worked * 1000:.1f} ms of processor")


if __name__ == "__main__":
    main()
