"""What a timeline says in words."""

from __future__ import annotations

from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.timeline.model import Hit, Lane, Part

HINTS = {
    Part.RULER: "Drag to go through the movie; double-click to see all of it",
    Part.RANGE_FIRST: "Drag: first frame of the range",
    Part.RANGE_LAST: "Drag: last frame of the range",
}


def lane_text(lane: Lane | None, hit: Hit, tables: ScoreTables | None) -> str:
    """Return what is known of a place in the timeline, for a tooltip."""
    if lane is None:
        return HINTS.get(hit.part, "")
    if hit.part is Part.NAME:
        return f"{lane.name} (id {lane.object_id})"
    frame = hit.frame
    facts = [
        f"{lane.name}, frame {frame}",
        _tracked_text(lane.object_id, frame, tables),
    ]
    if frame in lane.click_anchors:
        facts.append("anchor: clicks or a box")
    if frame in lane.mask_anchors:
        facts.append("anchor: a mask")
    marks = {
        "locked": lane.locked,
        "reviewed": lane.reviewed,
        "out of date": lane.stale,
    }
    facts.extend(text for text, frames in marks.items() if frame in frames)
    return "\n".join(facts)


def _tracked_text(object_id: int, frame: int, tables: ScoreTables | None) -> str:
    if tables is None or object_id not in tables.columns:
        return "not tracked yet"
    column = tables.columns[object_id]
    if not tables.computed()[frame, column]:
        return "not tracked yet"
    trust = f"trust {tables.trust()[frame, column]:.2f}"
    if not tables.presence()[frame, column]:
        return f"absent ({trust})"
    return f"{trust}, {tables.area[frame, column]:.0f} px"
