"""Divisions that the scores of tracked objects speak for; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_sam2.interfaces import DivisionEvidence
from napari_sam2.session.book.proposals import ProposedDivision
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.tracking.automatic.bodies.sisters import HALVED, NEAR
from napari_sam2.tracking.division_evidence import LIKE_SIZE, STABLE, shows_two

SAME = 0.1
"""Areas that differ by less are the same."""


def proposed_divisions(
    tables: ScoreTables, evidence: DivisionEvidence, book: BookState
) -> list[ProposedDivision]:
    """Return the divisions that somebody should decide about, by frame.

    Parameters
    ----------
    evidence
        ``(T, objects)``, of the same objects.
    book
        Who is there; mothers and daughters are passed over.
    """
    mothers = {state.parent for state in book.objects}
    single = [
        state
        for state in book.objects
        if state.object_id not in mothers and state.object_id in tables.columns
    ]
    found = list(_halved(tables, evidence, single))
    told = {one.mother for one in found} | {one.daughter for one in found}
    for state in single:
        if state.object_id not in told:
            found += _parted(tables, evidence, state)
    return sorted(found, key=lambda one: (one.frame_index, one.mother))


def _parted(
    tables: ScoreTables, evidence: DivisionEvidence, state: ObjectState
) -> Iterator[ProposedDivision]:
    """Yield the division of an object whose masks are two, for some frames or halved.

    Where only one of two parts is followed on, they show but once.
    """
    column = tables.columns[state.object_id]
    area = tables.area[:, column]
    is_two = shows_two(evidence)[:, column] & (area > 0)
    has_halved = np.flatnonzero(is_two[1:] & (area[1:] <= HALVED * area[:-1])) + 1
    for birth in sorted({*_begins(is_two), *has_halved.tolist()}):
        if birth > 0 and area[birth - 1] > 0:
            places = _places(tables, evidence, (birth, column))
            yield ProposedDivision(state.object_id, 0, birth, places)
            return


def _begins(is_two: np.ndarray) -> Iterator[int]:
    """Yield the first frames of stable runs of a ``(T,)`` bool."""
    edges = np.diff(np.concatenate(([0], is_two.astype(np.int8), [0])))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    yield from starts[stops - starts >= STABLE].tolist()


def _places(
    tables: ScoreTables, evidence: DivisionEvidence, at: tuple[int, int]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return where both daughters are: the centre of a mask of both lies between."""
    centre = np.array([tables.y[at], tables.x[at]])
    second = np.array([evidence.sister_y[at], evidence.sister_x[at]])
    share, raw = evidence.second_part[at], evidence.raw_area[at]
    is_both = share > 0 and abs(raw - tables.area[at]) <= SAME * raw
    first = centre + (centre - second) * share if is_both else centre
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))


def _halved(
    tables: ScoreTables, evidence: DivisionEvidence, single: list[ObjectState]
) -> Iterator[ProposedDivision]:
    """Yield divisions where an area halves while a neighbour of like size appears."""
    raw = evidence.raw_area
    area = np.where(np.isnan(raw), tables.area, raw)
    columns = np.array([tables.columns[one.object_id] for one in single], int)
    first, _, _ = tables.spans([one.object_id for one in single])
    told: set[int] = set()
    for place in np.argsort(first, kind="stable").tolist():
        birth, state = int(first[place]), single[place]
        if birth <= 0 or state.parent is not None:
            continue
        before = _median(area[max(0, birth - STABLE) : birth, columns])
        after = _median(area[birth : birth + STABLE, columns])
        own = after[place]
        is_alike = np.minimum(own, after) >= LIKE_SIZE * np.maximum(own, after)
        way = np.hypot(
            tables.y[birth, columns] - tables.y[birth, columns[place]],
            tables.x[birth, columns] - tables.x[birth, columns[place]],
        )
        with np.errstate(invalid="ignore"):
            is_near = way <= NEAR * np.sqrt(before / np.pi)
        is_mother = is_alike & is_near & (before > 0) & (after <= HALVED * before)
        is_mother[place] = False
        for nearest in np.argsort(np.where(is_mother, way, np.inf)).tolist()[:1]:
            mother = single[nearest].object_id
            if is_mother[nearest] and mother not in told:
                told.add(mother)
                yield ProposedDivision(mother, state.object_id, birth)


def _median(values: np.ndarray) -> np.ndarray:
    """Return ``(objects,)`` medians of a few frames; 0 where nothing is known."""
    known = np.where(np.isnan(values), 0, values)
    median: np.ndarray = np.median(known, axis=0)
    return median
