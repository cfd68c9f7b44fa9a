"""A movie, a store and a predictor made of dictionaries, for the session alone."""

from dataclasses import dataclass

import numpy as np

from napari_sam2.interfaces import StoredAnchor
from napari_sam2.tiles import TileLayout
from napari_sam2.tracking.division_evidence import unknown_evidence
from napari_sam2.tracking.postprocess import label_image

SHAPE = (4, 6)


class FakeSource:
    """Frames whose grey value is their index."""

    frame_shape = SHAPE

    def __init__(self, frame_count):
        self.frame_count = frame_count
        self.reads = []

    def read(self, frame_index):
        self.reads.append(frame_index)
        return np.full((*SHAPE, 3), frame_index, np.uint8)


class FakeStore:
    """A label store that keeps everything in memory and records its commits."""

    def __init__(self, frame_shape=SHAPE, logits_shape=SHAPE):
        self.frame_shape, self.logits_shape = frame_shape, logits_shape
        self.labels, self.logits, self.anchors = {}, {}, []
        self.scores = {}
        self.layout = TileLayout.whole(frame_shape)
        self.progress, self.is_finished = None, False
        self.faults = []

    def write(self, result):
        frame_index = result.frame_index
        self.labels[frame_index] = result.labels.copy()
        scores = result.scores
        for row, object_id in enumerate(result.object_ids):
            self.logits.setdefault(frame_index, {})[object_id] = result.logits[row]
            self.scores[frame_index, object_id] = (
                float(scores.object_score[row]),
                float(scores.predicted_iou[row]),
                float(scores.stability[row]),
                int(scores.area[row]),
            )
        for object_id in self.logits.get(frame_index, {}):  # some have lost pixels
            area = int((result.labels == object_id).sum())
            others = self.scores[frame_index, object_id][:3]
            self.scores[frame_index, object_id] = (*others, area)

    def read_labels(self, frame_index):
        return self.labels.get(frame_index, np.zeros(self.frame_shape, np.uint16))

    def read_logits(self, frame_index, *, without=()):
        kept = {
            object_id: logits
            for object_id, logits in sorted(self.logits.get(frame_index, {}).items())
            if object_id not in without
        }
        stack = list(kept.values()) or [np.zeros(self.logits_shape, np.float32)]
        return tuple(kept), np.stack(stack)[: len(kept)]

    def read_tiles(self, frame_index, object_ids):
        return np.zeros(len(object_ids), np.int64)

    def write_anchor(self, anchor):
        self.anchors.append(anchor)

    def read_anchors(self):
        places = {(one.object_id, one.frame_index): one for one in self.anchors}
        return [places[place] for place in sorted(places)]

    def commit(self, progress, snapshot):
        self.progress = (progress, snapshot)

    def read_progress(self):
        return self.progress

    def mend(self):
        """Go back to the beginning, as often as there are faults to tell."""
        if not self.faults:
            return None
        self.progress = None
        self.labels.clear()
        return self.faults.pop(0)

    def finish(self):
        self.progress, self.is_finished = None, True


@dataclass
class FakeStep:
    """What `StreamingPredictor.step` returns."""

    frame_index: int
    object_ids: tuple
    logits: np.ndarray
    anchors: tuple = ()

    @property
    def object_score(self):
        return np.full(len(self.object_ids), 5, np.float32)

    predicted_iou = stability = object_score

    @property
    def tiles(self):
        return np.zeros(len(self.object_ids), np.int64)

    @property
    def division(self):
        return unknown_evidence(len(self.object_ids))


class FakePredictor:
    """Each object covers its own row, and a counter of the steps since its last gap.

    The counter goes into the logits, so that a test sees what was remembered.
    """

    label_image = staticmethod(label_image)

    def __init__(self):
        self.recent = {}
        self.steps, self.replayed, self.expected = [], [], []

    def step(self, frame_index, frame, prompts=(), *, objects=None, reverse=False):
        assert frame[0, 0, 0] == frame_index
        ids = tuple(prompt.object_id for prompt in prompts) + tuple(objects or ())
        self.steps.append((frame_index, ids, reverse))
        logits = np.full((len(ids), *SHAPE), -1, np.float32)
        for row, object_id in enumerate(ids):
            self.recent[object_id] = self.recent.get(object_id, 0) + 1
            logits[row, object_id % SHAPE[0]] = self.recent[object_id]
        anchors = tuple(
            StoredAnchor(ids[row], frame_index, logits[row], np.zeros(2), 5.0, 5.0)
            for row in range(len(prompts))
        )
        return FakeStep(frame_index, ids, logits, anchors)

    def expect(self, frame_index, frame):
        assert frame[0, 0, 0] == frame_index
        self.expected.append((self.steps[-1][0] if self.steps else None, frame_index))

    def replay(self, frame_index, frame, *anchors):
        assert frame[0, 0, 0] == frame_index
        self.replayed += [(one.object_id, frame_index) for one in anchors]

    def forget_recent(self, object_ids=None):
        for object_id in list(self.recent) if object_ids is None else object_ids:
            self.recent.pop(object_id, None)

    def snapshot(self):
        return {str(object_id): np.int64(n) for object_id, n in self.recent.items()}

    def restore(self, arrays):
        self.recent = {int(name): int(value) for name, value in arrays.items()}
