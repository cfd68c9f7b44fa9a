"""Scores and measurements of tracked masklets as one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_sam2.errors import ModelError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.label_store.tables.measurements import MeasurementName
from napari_sam2.model.checkpoints.notes import TRUST_NOTE, read_notes
from napari_sam2.model.checkpoints.weights_file import path_at_hand
from napari_sam2.session.scores.tables import SCORES, SIGNS_OF_TWO, ScoreTables
from napari_sam2.session.scores.trust_model import TrustModel
from napari_sam2.session.scores.trust_rule import TrustFunction, neighbour_trust

MEASURED: dict[str, MeasurementName] = {
    "y": "centroid_y",
    "x": "centroid_x",
    "intensity": "mean_intensity",
}


def trust_of(path: Path) -> TrustModel | None:
    """Return what a model's file says of how far its masks may be trusted."""
    note = read_notes(path).get(TRUST_NOTE)
    return None if note is None else TrustModel.from_json(note)


def trust_at_hand(model: str) -> TrustFunction:
    """Return how far a model's masks may be trusted; nothing is loaded or fetched.

    Without its file, or if that does not say, neighbouring frames tell. What is wrong
    with the file is said when it is loaded.
    """
    try:
        path = path_at_hand(model)
        return (path and trust_of(path)) or neighbour_trust
    except ModelError:
        return neighbour_trust


def tables_of(store: OmeZarrLabelStore, model: str | None = None) -> ScoreTables:
    """Read scores and measurements of all frames.

    Parameters
    ----------
    model
        By whose trust they are judged, see `trust_at_hand`; None for who made them.
    """
    trust = trust_at_hand(model or store.provenance.model)
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
