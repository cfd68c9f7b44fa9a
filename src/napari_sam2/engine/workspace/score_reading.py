"""Scores and measurements of a store as one table."""

from __future__ import annotations

from typing import Literal

import numpy as np

from napari_sam2.engine.workspace.loading import trust_at_hand
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tables.measurements import MeasurementName
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.scores.trust_rule import neighbour_trust

KEPT: tuple[Literal["object_score", "predicted_iou", "stability"], ...] = (
    "object_score",
    "predicted_iou",
    "stability",
)
MEASURED: dict[str, MeasurementName] = {
    "y": "centroid_y",
    "x": "centroid_x",
    "intensity": "mean_intensity",
}


def tables_of(store: OmeZarrLabelStore, model: str) -> ScoreTables:
    """Read scores and measurements of all frames, judged as the model's file says."""
    trust = trust_at_hand(model) or neighbour_trust
    tables = ScoreTables.empty(store.object_ids, store.frame_count, trust)
    for name in KEPT:
        getattr(tables, name)[...] = store.read_score_table(name)
    for column, stored in MEASURED.items():
        getattr(tables, column)[...] = store.read_measurements(stored)
    area = store.read_score_table("area")
    tables.area[...] = np.where(area < 0, np.nan, area)
    return tables
