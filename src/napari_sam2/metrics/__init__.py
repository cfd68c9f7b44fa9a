"""Scores of masks and tracks against a truth: J, F and J&F of the DAVIS benchmark."""

from napari_sam2.metrics.evaluation import (
    MovieScorer,
    evaluate,
    last_frames_before_division,
)
from napari_sam2.metrics.masks import (
    boundary_map,
    boundary_radius,
    boundary_similarity,
    region_similarity,
)
from napari_sam2.metrics.matching import Match, count_overlaps, match_objects
from napari_sam2.metrics.scores import MovieScore, ObjectScore

__all__ = [
    "Match",
    "MovieScore",
    "MovieScorer",
    "ObjectScore",
    "boundary_map",
    "boundary_radius",
    "boundary_similarity",
    "count_overlaps",
    "evaluate",
    "last_frames_before_division",
    "match_objects",
    "region_similarity",
]
