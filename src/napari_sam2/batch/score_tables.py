"""Scores and measurements of tracked masklets as one table, without an engine."""

from __future__ import annotations

import numpy as np

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.model.checkpoints.weights_file import weights_path
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.scores.trust_model import TrustModel
from napari_sam2.session.scores.trust_rule import neighbour_trust


def tables_of(store: OmeZarrLabelStore) -> ScoreTables:
    """Read scores and measurements of all frames, judged as the model's file says."""
    tables = ScoreTables.empty(store.object_ids, store.frame_count)
    tables.object_score[...] = store.read_score_table("object_score")
    tables.predicted_iou[...] = store.read_score_table("predicted_iou")
    tables.stability[...] = store.read_score_table("stability")
    tables.y[...] = store.read_measurements("centroid_y")
    tables.x[...] = store.read_measurements("centroid_x")
    area = store.read_score_table("area")
    tables.area[...] = np.where(area < 0, np.nan, area)
    note = read_notes(weights_path(store.provenance.model)).get(TRUST_NOTE)
    fitted = None if note is None else TrustModel.from_json(note)
    return tables.with_trust(fitted or neighbour_trust)
