"""The labels layer that shows masklets.

Its labels lie in memory (`LiveLabels`). What is missing is asked for, what the worker
wrote is shown, what people paint is told. No file is touched here.
"""

from __future__ import annotations

import time
from collections.abc import Container, Hashable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Points
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, Qt, Signal

from napari_sam2.engine import Request, StoreReady
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import DEFAULT_NAME
from napari_sam2.session.book.state import BookState, Color
from napari_sam2.session.scores.tables import ScoreTables
from napari_sam2.ui.layers.colors import color_of, colormap_with, object_colors
from napari_sam2.ui.layers.labels_in_layer import LabelsInLayer
from napari_sam2.ui.layers.placement import placed_like
from napari_sam2.ui.masklets.live_labels import LiveLabels
from napari_sam2.ui.masklets.session_mark import layer_of_session, session_metadata
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.timers import single_shot

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

STILL_LOADING = "Frame {} was still being loaded: paint there again"
OFF_PLANE = "Masklets lie on the plane that is tracked: go there to paint"


class StrokeWatch(QObject):
    """Tells the strokes on one labels layer."""

    stroke_finished = Signal(int, object, object)
    """Frame, and its ``(Y, X)`` labels before and after; a stroke through several
    frames is one for each."""
    refused = Signal(str)
    """Something could not be painted on, and why."""
    replaced = Signal()
    """The layer was given other data."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._connections = Connections()
        self._layer: Labels | None = None
        self._live: LiveLabels | None = None
        # Not at once: napari is still at work on the stroke when it tells of it.
        self._emptying = single_shot(self, self._empty_history)

    def attach(self, layer: Labels, labels: LabelsInLayer, live: LiveLabels) -> None:
        """Watch a layer from now on, and no other.

        Parameters
        ----------
        layer
            Whose data is ``labels``.
        labels, live
            What is painted on: as the layer sees it, and frame by frame.
        """
        self.close()
        self._layer, self._labels, self._live = layer, labels, live
        self._connections.add(layer.events.paint, self._on_paint)
        self._connections.add(layer.events.data, self._on_data)

    def close(self) -> None:
        """Watch nothing any more."""
        self._connections.close()
        self._emptying.stop()
        self._layer = self._live = None

    def _on_paint(self, _event: Any) -> None:
        layer, live = self._layer, self._live
        if layer is None or live is None:
            return
        strokes, missed = live.take_strokes(), live.take_refused()
        self._emptying.start()
        is_off_plane = self._labels.take_off_plane()
        if missed or is_off_plane:
            # napari shows what it meant to paint.
            layer.refresh(extent=False)
            frames = ", ".join(map(str, sorted(missed)))
            self.refused.emit(STILL_LOADING.format(frames) if missed else OFF_PLANE)
        for stroke in strokes:
            self.stroke_finished.emit(stroke.frame_index, stroke.before, stroke.after)

    def _on_data(self, _event: Any) -> None:
        if self._layer is not None and self._layer.data is not self._labels:
            self.replaced.emit()

    def _empty_history(self) -> None:
        """Empty napari's history of the layer; keep the tool that is in hand."""
        layer, live = self._layer, self._live
        if layer is None or live is None or not layer.editable:
            return  # it was emptied when editing was switched off
        if live.is_painted:
            return  # the next stroke has begun; its end comes here again
        empty_history(layer)


def empty_history(layer: Labels) -> None:
    """Empty napari's history of a layer, by the only public means.

    Switching editing off does it, and puts the tool down, which is taken up again.
    """
    mode, help_text = layer.mode, layer.help
    layer.editable = False
    layer.editable = True
    layer.mode, layer.help = mode, help_text


REFRESH_MS = 100
"""At most ten refreshes a second."""

BUSY_SHARE = 0.25
"""Of the window's time that refreshes may take: volumes are renewed less often."""

PREFETCHED = 8
"""So many frames on both sides of the one that is shown are asked for early."""

OPACITY = 0.5
"""Masks and what lies under them are seen alike."""

OUTLINE = 1
"""Pixels of an outline, which hides nothing and is opaque."""

REPLACED = (
    "Masklets stay what was tracked and painted: duplicate the layer, and change its "
    "copy"
)


class MaskletLayer(QObject):
    """Shows masklets in a labels layer, and renews what is seen of it."""

    stroke_finished = Signal(int, object, object)
    """Somebody painted, erased or filled: frame, ``(Y, X)`` labels before and after."""
    frames_wanted = Signal(object)
    """List of frames to be read, those wanted most first; `show_frame` brings them."""
    told = Signal(str)
    """Why something could not be painted on."""
    layer_added = Signal(object)
    """There is a new labels layer for masklets, or one was taken over."""

    _missed = Signal()

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._shown: StoreReady | None = None
        self._live: dict[Hashable, LiveLabels] = {}
        self._layer_ids: dict[Hashable, Hashable] = {}
        self._book = BookState()
        self._tables: ScoreTables | None = None
        self._coloring: Hashable = None
        self._connections = Connections()
        self._mode_before = ""
        self._is_tracking = self._is_stale = self._is_outlined = False
        self._drawing_since: float | None = None
        self._pause = single_shot(self, self._after_pause)
        self._naming = single_shot(self, self._show_names)
        self._strokes = StrokeWatch(self)
        self._strokes.stroke_finished.connect(self.stroke_finished)
        self._strokes.refused.connect(self.told)
        # Not at once: napari is still at work on the other data.
        self._strokes.replaced.connect(
            self._put_back, Qt.ConnectionType.QueuedConnection
        )
        # Frames are missed in napari's slicing thread, too.
        self._missed.connect(self._on_missed, Qt.ConnectionType.QueuedConnection)
        self._connections.add(viewer.dims.events.current_step, self._on_moved)

    # --- The layer

    @property
    def layer(self) -> Labels | None:
        """The labels layer; None before the first mask, and after it was deleted."""
        if self._shown is None:
            return None
        wanted = self._layer_ids.get(self._shown.request.masklets_key)
        for layer in self._viewer.layers:
            if layer.unique_id == wanted:
                return layer
        return None

    @property
    def live(self) -> LiveLabels | None:
        """The labels of the masklets that are shown."""
        shown = self._shown
        return None if shown is None else self._live[shown.request.masklets_key]

    def show(self, ready: StoreReady) -> None:
        """Show masklets on their image layer; all frames are asked for anew."""
        key, before = ready.request.masklets_key, self._shown
        if before is not None and before.request.masklets_key != key:
            if before.request.image.layer_id == ready.request.image.layer_id:
                self._set_visible(False)  # two answers on one picture confuse
            self._turn_away()
        self._shown = ready
        if key not in self._live:
            axes = ready.request.image.axes
            shape = (axes.frame_count, *axes.frame_shape)
            self._live[key] = LiveLabels(shape, ready.dtype, ready.read_labels)
        live = self._live[key]
        live.notify = self._missed.emit
        live.forget()
        self._bring_back()
        layer = self.layer
        if layer is not None:
            self._attach(layer)
        if before is not None and before.request.masklets_key != key:
            self._set_visible(True)
        self._renew_if_seen(range(live.shape[0]))
        self._on_moved()

    def _set_visible(self, is_visible: bool) -> None:
        layer = self.layer
        if layer is not None:
            layer.visible = is_visible

    def forget(self, request: Request) -> None:
        """Let go of masklets whose movie is gone; their layer stays, read from disk."""
        key, shown = request.masklets_key, self._shown
        if shown is not None and shown.request.masklets_key == key:
            self._turn_away()
            self._shown = None
        self._live.pop(key, None)
        self._layer_ids.pop(key, None)

    def close(self) -> None:
        """Let go of the layers: they stay, and read files when looked at, no more."""
        self._connections.close()
        self._strokes.close()
        self._pause.stop()
        self._naming.stop()
        for layer in self._viewer.layers:
            if layer.unique_id in self._layer_ids.values():
                # The window may be closing, and its widgets may be gone.
                with layer.events.blocker_all():
                    layer.editable = False
        for live in self._live.values():
            live.notify = None

    # --- What the worker says

    def show_frame(self, frame_index: int, labels: np.ndarray) -> None:
        """Show new ``(Y, X)`` labels of a frame, which nobody changes any more."""
        live = self.live
        if live is None:
            return
        live.put(frame_index, labels)
        self._bring_back()
        self._renew_if_seen([frame_index])

    def forget_frames(self, frames: Iterable[int]) -> None:
        """Read frames again when they are looked at: they are new on disk."""
        live = self.live
        if live is not None:
            changed = set(frames)
            live.forget(changed)
            self._renew_if_seen(changed)

    def show_book(self, book: BookState) -> None:
        """Show names, and hide what is hidden."""
        before, self._book = self._book, book
        if not looks_alike(before, book):
            self._show_look()

    def show_scores(self, tables: ScoreTables) -> None:
        """Say how far the masks of the frame that is shown are trusted."""
        self._tables = tables
        self._name_soon()

    def set_outlined(self, is_outlined: bool) -> None:
        """Show masks as outlines, or filled; an opacity of one's own stays."""
        self._is_outlined = is_outlined
        layer = self.layer
        if layer is not None and bool(layer.contour) != is_outlined:
            layer.contour = OUTLINE if is_outlined else 0
            usual = (OPACITY, 1.0) if is_outlined else (1.0, OPACITY)
            layer.opacity = usual[1] if layer.opacity == usual[0] else layer.opacity

    def set_tracking(self, tracking: bool) -> None:
        """Keep brushes away from frames that the tracker writes.

        Switching editing off empties napari's undo history, which would bring back
        labels from before the run. The tool in hand is taken up again afterwards.
        """
        layer, self._is_tracking = self.layer, tracking
        if layer is None or layer.editable != tracking:
            return
        if tracking:
            self._mode_before = layer.mode
            layer.editable = False
        else:
            layer.editable = True
            layer.mode = self._mode_before or layer.mode

    # --- The place

    def displayed_frame(self) -> int | None:
        """Return the frame that the viewer shows."""
        layer, shown = self.layer, self._shown
        if layer is None or shown is None:
            return None
        return shown.request.image.axes.frame_at(
            layer.world_to_data(self._viewer.dims.point)
        )

    # --- Steps: the layer

    def _bring_back(self) -> None:
        """Show masklets that have no layer yet, or whose layer somebody deleted."""
        if self._shown is None or self.layer is not None:
            return
        for layer in self._viewer.layers:
            if layer.unique_id == self._shown.request.image.layer_id:
                self._add(self._shown, layer)
                return

    def _add(self, ready: StoreReady, image: Image) -> None:
        """Add the labels layer, or take over one that the reader opened."""
        request = ready.request
        labels = LabelsInLayer(self._live[request.masklets_key], request.image.axes)
        layer = layer_of_session(self._viewer, request.folder, DEFAULT_NAME)
        if layer is not None and layer.data.shape != labels.shape:
            # Opened from disk as (t, y, x), for a movie of more dimensions.
            self._viewer.layers.remove(layer)
            layer = None
        if layer is None:
            layer = self._new_layer(labels, ready, image)
        else:
            layer.data = labels
        self._layer_ids[request.masklets_key] = layer.unique_id
        self._coloring = None
        self._attach(layer)
        self._show_look()
        self.layer_added.emit(layer)

    def _new_layer(
        self, labels: LabelsInLayer, ready: StoreReady, image: Image
    ) -> Labels:
        """Add a layer; points that are being set stay on top and chosen."""
        layers = self._viewer.layers
        active = layers.selection.active
        layer = self._viewer.add_labels(
            labels,
            name=f"{image.name} masklets",
            colormap=object_colors(),
            opacity=OPACITY,
            metadata=session_metadata(ready.request.folder, DEFAULT_NAME),
            **placed_like(image),
        )
        if isinstance(active, Points):
            layers.move(layers.index(layer), layers.index(active))
        layers.selection.active = active
        return layer

    def _turn_away(self) -> None:
        """Let nobody paint on masklets that are no longer shown: nobody keeps it."""
        self._strokes.close()
        layer, live = self.layer, self.live
        if layer is not None:
            layer.editable = False
        if live is not None:
            live.notify = None
        self._book, self._tables, self._coloring = BookState(), None, None

    def _attach(self, layer: Labels) -> None:
        live = self.live
        if live is not None:
            self._strokes.attach(layer, layer.data, live)
        layer.editable = not self._is_tracking
        self.set_outlined(self._is_outlined)

    def _put_back(self) -> None:
        """Show masklets again where somebody gave their layer other labels."""
        layer, live = self.layer, self.live
        if layer is not None and live is not None and self._shown is not None:
            layer.data = LabelsInLayer(live, self._shown.request.image.axes)
            self._attach(layer)
            self.told.emit(REPLACED)

    def _show_look(self) -> None:
        layer = self.layer
        if layer is None:
            return
        coloring = colors_by_object(self._book)
        if coloring != self._coloring:
            self._coloring = coloring
            layer.colormap = colormap_for(self._book)
        self._name_soon()

    def _name_soon(self) -> None:
        """Let the status bar know names and trust, which nobody waits for."""
        if not self._naming.isActive():
            self._naming.start(REFRESH_MS)

    def _show_names(self) -> None:
        layer, frame_index = self.layer, self.displayed_frame()
        if layer is not None:
            layer.features = features_for(self._book, self._tables, frame_index)
            # The status bar looks anew only when it hears of the pointer.
            self._viewer.cursor.events.position()

    # --- Steps: what is seen

    def _sees_all_frames(self, layer: Labels) -> bool:
        """Whether the frame axis is one of those that are displayed."""
        dims, shown = self._viewer.dims, self._shown
        axis = None if shown is None else shown.request.image.axes.frame_axis
        return axis is not None and dims.ndim - layer.ndim + axis in dims.displayed

    def _renew_if_seen(self, frames: Container[int]) -> None:
        layer = self.layer
        if layer is None:
            return
        displayed = self.displayed_frame()
        if (displayed is not None and displayed in frames) or self._sees_all_frames(
            layer
        ):
            self._is_stale = True
            self._renew()

    def _renew(self) -> None:
        """Renew what is seen now, or when the pause is over."""
        if self._pause.isActive() or self.layer is None:
            return
        self._is_stale, self._drawing_since = False, time.perf_counter()
        self._draw()
        # The window paints once the event loop has its turn; a volume takes it seconds.
        self._pause.start(0)

    def _draw(self) -> None:
        """Let napari draw the masklets, in whatever layers somebody made of them."""
        for layer in self._viewer.layers:
            labels = layer.data
            if isinstance(labels, LabelsInLayer) and labels.frames is self.live:
                try:
                    layer.refresh(extent=False)
                except InputError as error:  # a volume that memory does not hold
                    self.told.emit(str(error))

    def _after_pause(self) -> None:
        begun, self._drawing_since = self._drawing_since, None
        if begun is not None:
            taken_ms = 1000 * (time.perf_counter() - begun)
            self._pause.start(max(REFRESH_MS, round(taken_ms / BUSY_SHARE)))
        elif self._is_stale:
            self._renew()

    def _on_moved(self, _event: Any = None) -> None:
        """Ask for the frames around the one that is shown."""
        live, frame_index = self.live, self.displayed_frame()
        if live is None or frame_index is None:
            return
        steps = (sign * step for step in range(PREFETCHED + 1) for sign in (1, -1))
        live.ask(frame_index + step for step in steps)
        if self._tables is not None:
            self._name_soon()

    def _on_missed(self) -> None:
        live, shown = self.live, self.displayed_frame()
        wanted = [] if live is None else live.take_wanted()
        if wanted:
            near = shown or 0
            wanted.sort(key=lambda frame: (abs(frame - near), -frame))
            self.frames_wanted.emit(wanted)


TRANSPARENT = (0.0, 0.0, 0.0, 0.0)


def colormap_for(book: BookState) -> Any:
    """Return the colours of all objects; hidden ones are not seen.

    As long as nothing is hidden, and no object has a colour of its own, it is the map
    that clicks and swatches share, which knows a colour for every id.
    """
    if not colors_by_object(book):
        return object_colors()
    if not any(state.is_hidden for state in book.objects):
        return colormap_with(
            {state.object_id: color_of(state).tolist() for state in book.objects}
        )
    colors: dict[int | None, Any] = {None: TRANSPARENT, 0: TRANSPARENT}
    for state in book.objects:
        colors[state.object_id] = TRANSPARENT if state.is_hidden else color_of(state)
    return DirectLabelColormap(color_dict=colors)


def colors_by_object(book: BookState) -> tuple[tuple[int, bool, Color | None], ...]:
    """Return what decides the colours: nothing, or who is hidden and who has which."""
    shown = tuple(
        (state.object_id, state.is_hidden, state.color) for state in book.objects
    )
    is_usual = not any(hidden or color is not None for _, hidden, color in shown)
    return () if is_usual else shown


def features_for(
    book: BookState, tables: ScoreTables | None, frame_index: int | None
) -> dict[str, list[Any]]:
    """Return what the status bar and the tooltip say about each object.

    Parameters
    ----------
    tables, frame_index
        How far the masks of a frame are trusted; None if that is not known.

    Returns
    -------
    A table by column; ``index`` is the label. Empty for a book without objects.
    """
    if not book.objects:
        return {}
    ids = book.object_ids
    table: dict[str, list[Any]] = {
        "index": list(ids),
        "name": [state.name or f"object {state.object_id}" for state in book.objects],
    }
    parents = [state.parent for state in book.objects]
    if any(parent is not None for parent in parents):
        table["parent"] = parents
    if tables is not None and frame_index in range(tables.frame_count):
        row = tables.trust()[frame_index]
        columns = [tables.columns.get(object_id) for object_id in ids]
        trust = [np.nan if at is None else float(row[at]) for at in columns]
        table["trust"] = [round(value, 2) for value in trust]
    return table


def looks_alike(before: BookState, after: BookState) -> bool:
    """Whether two books show the same objects in the same way."""
    return not after.gone_since(before) and all(
        (old := before.get(state.object_id)) and _shown(old) == _shown(state)
        for state in after.new_since(before)
    )


_shown = attrgetter("name", "parent", "is_hidden", "color")
"""What is seen of an object in the masklets layer."""
