"""Scores and measurements of a store as one table, judged by what is at hand."""

from __future__ import annotations

from napari_sam2.batch.score_tables import scores_of
from napari_sam2.engine.workspace.loading import trust_at_hand
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.session.scores.trust_rule import neighbour_trust


def tables_of(store: OmeZarrLabelStore, model: str) -> ScoreTables:
    """Read scores and measurements of all frames, judged as the model's file says."""
    return scores_of(store, trust_at_hand(model) or neighbour_trust)
