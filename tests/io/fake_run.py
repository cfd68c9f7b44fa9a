"""A small run without a network: two discs that move, as `FrameResult`s."""

from dataclasses import dataclass

import numpy as np

from napari_sam2.interfaces import (
    FrameResult,
    ObjectScores,
    Progress,
    StoredAnchor,
)
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject

FRAME_SHAPE = (48, 64)
LOGITS_SHAPE = (16, 16)
PROVENANCE = Provenance(
    model="nano",
    weights_sha256="0" * 64,
    device="cpu",
    precision="fp32",
    threads=2,
    prompts={"version": 1, "objects": [{"id": 3}]},
    frames={"source": "/here/movie.tif", "contrast_limits": [10.0, 900.5]},
    settings={"direction": "both"},
    plugin_version="0.1.0",
)


@dataclass(frozen=True)
class FakeRun:
    """What a tracker would give: deterministic results for each frame."""

    frame_count: int = 30
    object_ids: tuple[int, ...] = (3, 7)

    @property
    def objects(self):
        return [
            PromptedObject(
                object_id=one,
                prompts=(FramePrompt(one, 0, points=(PointPrompt(5.0, 6.0),)),),
                name=f"cell {one}" if one != 7 else "",
                parent=3 if one == 7 else None,
            )
            for one in self.object_ids
        ]

    def logits(self, frame_index):
        rows, columns = np.mgrid[: LOGITS_SHAPE[0], : LOGITS_SHAPE[1]]
        maps = []
        for number, object_id in enumerate(self.object_ids):
            y, x = 4 + 6 * number, 3 + frame_index * 0.3
            noise = np.random.default_rng((object_id, frame_index))
            distance = np.hypot(rows - y, columns - x)
            maps.append(3.0 - distance + noise.normal(0, 0.1, LOGITS_SHAPE))
        return np.asarray(maps, np.float32)

    def result(self, frame_index, object_ids=None, shown=(3, 7)):
        """Return the result of some objects; ``shown`` are in the label image."""
        chosen = self.object_ids if object_ids is None else tuple(object_ids)
        logits = self.logits(frame_index)
        labels = np.zeros(FRAME_SHAPE, np.uint16)
        rows = np.arange(FRAME_SHAPE[0]) * LOGITS_SHAPE[0] // FRAME_SHAPE[0]
        columns = np.arange(FRAME_SHAPE[1]) * LOGITS_SHAPE[1] // FRAME_SHAPE[1]
        for object_id, one in zip(self.object_ids, logits, strict=True):
            if object_id in shown:
                mask = (one > 0)[np.ix_(rows, columns)]
                labels[mask & (labels == 0)] = object_id
        picked = [self.object_ids.index(one) for one in chosen]
        scores = np.linspace(0.5, 0.9, len(chosen), dtype=np.float32) + frame_index
        return FrameResult(
            frame_index=frame_index,
            labels=labels,
            object_ids=chosen,
            logits=logits[picked],
            scores=ObjectScores(
                object_score=scores,
                predicted_iou=scores / 100,
                stability=scores / 200,
                area=np.array([(labels == one).sum() for one in chosen], np.int64),
            ),
        )

    def anchor(self, object_id, frame_index=0):
        rng = np.random.default_rng(object_id)
        return StoredAnchor(
            object_id=object_id,
            frame_index=frame_index,
            logits=rng.normal(size=LOGITS_SHAPE).astype(np.float32),
            pointer=rng.normal(size=8).astype(np.float32),
            object_score=4.25,
            predicted_iou=0.75,
        )

    def snapshot(self, frame_index):
        rng = np.random.default_rng(frame_index)
        return {
            "memories/spatial": rng.integers(0, 2**16, (2, 3, 5), dtype=np.uint16),
            "pointers": rng.normal(size=(2, 8)).astype(np.float32),
            "frame": np.array(frame_index),
            "free": np.zeros((0, 4), np.int64),
        }

    def progress(self, next_frame):
        return Progress(0, next_frame, "plan")


def write_finished_run(path):
    """Write masklets of two frames that are complete."""
    fake = FakeRun(frame_count=2)
    store = OmeZarrLabelStore.create(
        path,
        frame_count=2,
        frame_shape=FRAME_SHAPE,
        logits_shape=LOGITS_SHAPE,
        objects=fake.objects,
        provenance=PROVENANCE,
    )
    for frame in range(2):
        store.write(fake.result(frame))
    store.finish()
    store.close()
