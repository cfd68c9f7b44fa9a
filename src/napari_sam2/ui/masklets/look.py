"""How masklets look in their layer: colours, what is hidden, what the status says."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

from napari_sam2.session.book.state import BookState, Color
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import color_of, colormap_with, object_colors

TRANSPARENT = (0.0, 0.0, 0.0, 0.0)


def colormap_for(book: BookState) -> Any:
    """Return the colours of all objects; hidden ones are not seen.

    As long as nothing is hidden, and no object has a colour of its own, it is the map
    that clicks and swatches share, which knows a colour for every id.
    """
    if not colors_by_object(book):
        return object_colors()
    if not any(thing.is_hidden for thing in book.objects):
        return colormap_with(
            {one.object_id: color_of(one).tolist() for one in book.objects}
        )
    colors: dict[int | None, Any] = {None: TRANSPARENT, 0: TRANSPARENT}
    for thing in book.objects:
        colors[thing.object_id] = TRANSPARENT if thing.is_hidden else color_of(thing)
    return DirectLabelColormap(color_dict=colors)


def colors_by_object(book: BookState) -> tuple[tuple[int, bool, Color | None], ...]:
    """Return what decides the colours: nothing, or who is hidden and who has which."""
    shown = tuple((one.object_id, one.is_hidden, one.color) for one in book.objects)
    is_usual = not any(hidden or color is not None for _, hidden, color in shown)
    return () if is_usual else shown


def features_for(
    book: BookState, tables: ScoreTables | None, frame_index: int | None
) -> dict[str, list[Any]]:
    """Return what the status bar and the tooltip say about each object.

    Parameters
    ----------
    book
        All objects.
    tables, frame_index
        How far the masks of a frame are trusted; None if that is not known.

    Returns
    -------
    A table by column; ``index`` is the label. Empty for a book without objects.
    """
    if not book.objects:
        return {}
    ids = [thing.object_id for thing in book.objects]
    table: dict[str, list[Any]] = {
        "index": ids,
        "name": [thing.name or f"object {thing.object_id}" for thing in book.objects],
    }
    parents = [thing.parent for thing in book.objects]
    if any(parent is not None for parent in parents):
        table["parent"] = parents
    if tables is not None and frame_index in range(tables.frame_count):
        row = tables.trust()[frame_index]
        columns = [tables.columns.get(one) for one in ids]
        trust = [np.nan if one is None else float(row[one]) for one in columns]
        table["trust"] = [round(one, 2) for one in trust]
    return table


def looks_alike(before: BookState, after: BookState) -> bool:
    """Whether two books show the same objects in the same way."""
    return not after.gone_since(before) and all(
        (old := before.get(state.object_id)) and _shown(old) == _shown(state)
        for state in after.new_since(before)
    )


_shown = attrgetter("name", "parent", "is_hidden", "color")
"""What is seen of an object in the masklets layer."""
