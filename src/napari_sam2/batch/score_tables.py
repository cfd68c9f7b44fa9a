"""Scores and measurements of tracked masklets as one table."""

from __future__ import annotations

import numpy as np

from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tables.measurements import MeasurementName
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.model.checkpoints.weights_file import weights_path
from napari_sam2.session.scores.tables import SCORES, SIGNS_OF_TWO, ScoreTables
from napari_sam2.session.scores.trust_model import TrustModel
from napari_sam2.session.scores.trust_rule import TrustFunction, neighbour_trust

MEASURED: dict[str, MeasurementName] = {
    "y": "centroid_y",
    "x": "centroid_x",
    "intensity": "mean_intensity",
}


def tables_of(store: OmeZarrLabelStore) -> ScoreTables:
    """Read scores and measurements of all frames, judged as the model's file says."""
    note = read_notes(weights_path(store.provenance.model)).get(TRUST_NOTE)
    fitted = None if note is None else TrustModel.from_json(note)
    return scores_of(store, fitted or neighbour_trust)


def scores_of(store: OmeZarrLabelStore, trust: TrustFunction) -> ScoreTables:
    """Read scores and measurements of all frames, judged by a function."""
    tables = ScoreTables.empty(store.object_ids, store.frame_count, trust)
    for name in SCORES:
        getattr(tables, name)[...] = store.read_score_table(name)
    for column, stored in MEASURED.items():
        getattr(tables, column)[...] = store.read_measurements(stored)
    evidence = store.read_division_evidence()
    for sign in SIGNS_OF_TWO:
        getattr(tables, sign)[...] = getattr(evidence, sign)
    area = store.read_score_table("area")
    tables.area[...] = np.where(area < 0, np.nan, area)
    return tables
