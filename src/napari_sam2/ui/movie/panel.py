"""Panel: which image layer is the movie, and what the model sees of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QPushButton, QSpinBox, QWidget

from napari_sam2.engine.movie.axes import (
    LayerAxes,
    candidate_frame_axes,
    guess_channel_axis,
    guess_frame_axis,
    lay_out_layer,
    reading_of,
    unsure_axes,
)
from napari_sam2.engine.movie.image_input import (
    ChannelChoice,
    ChannelSource,
    ImageInput,
    Look,
)
from napari_sam2.errors import InputError
from napari_sam2.texts import counted
from napari_sam2.tiles import Window
from napari_sam2.ui.layers.placement import layer_shape
from napari_sam2.ui.movie.axis_combo import AxisCombo, axis_name, shape_and_names
from napari_sam2.ui.movie.channel_rows import ChannelRows
from napari_sam2.ui.movie.folder_files import FolderFiles
from napari_sam2.ui.movie.layer_input import (
    channel_sources,
    image_input,
    look_of,
    pixels_of,
)
from napari_sam2.ui.movie.picture import InputPicture
from napari_sam2.ui.movie.region import RegionButton
from napari_sam2.ui.widgets.connections import Connections
from napari_sam2.ui.widgets.layer_combo import LayerCombo
from napari_sam2.ui.widgets.layout import WheelGuard
from napari_sam2.ui.widgets.offer import Offer
from napari_sam2.ui.widgets.panel import Note, Panel
from napari_sam2.ui.widgets.preferences import Preferences

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer


class LookState(StrEnum):
    """What decides what the model sees, in words."""

    NOTHING = ""
    FOLLOWS = "The model sees what you see: the layer's contrast, gamma and inversion."
    OWN = "The model sees a contrast of its own, not that of the layer."
    RGB = "The model sees the colours as they are."
    FROZEN = "❄ Frozen with the session: the layer's contrast changes nothing any more."


WHAT_FOLLOWS = (
    "Masks that are there stay as they are. The model then sees the movie otherwise: "
    "new clicks and new tracking may differ from the old, and a stopped run begins "
    "anew. To have all masks from one picture, track everything again."
)


def look_state(
    layer: Image | None, choices: Sequence[ChannelChoice], *, is_frozen: bool
) -> LookState:
    """Return what decides what the model sees of a layer.

    Parameters
    ----------
    is_frozen
        Whether the look is frozen with the session.
    """
    if layer is None:
        return LookState.NOTHING
    if layer.rgb:
        return LookState.RGB
    if is_frozen:
        return LookState.FROZEN
    is_own = any(choice.look is not None for choice in choices)
    return LookState.OWN if is_own else LookState.FOLLOWS


class FrozenBox(QWidget):
    """Shows the state; asks before it lets anybody change it."""

    change_requested = Signal()
    """Somebody wants to change what the model sees, and knows what will follow."""

    def __init__(self) -> None:
        super().__init__()
        self.note = Note()
        self.button = QPushButton("Chan&ge …")
        self.button.setToolTip("Let the model see the movie otherwise; asks first")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.note, 1)
        row.addWidget(self.button)
        self.button.clicked.connect(self._ask)

    def show_state(self, state: LookState, *, is_changeable: bool) -> None:
        """Say what decides what the model sees."""
        self.note.show_text(str(state))
        self.button.setVisible(state is LookState.FROZEN)
        self.button.setEnabled(is_changeable)

    def _ask(self) -> None:
        answer = QMessageBox.question(self, "Change what the model sees?", WHAT_FOLLOWS)
        if answer == QMessageBox.StandardButton.Yes:
            self.change_requested.emit()


class InputPanel(Panel):
    """Asks for the movie, says what it is, and shows what the model sees of it.

    What the model sees follows the layers until it is frozen with the session.
    """

    image_changed = Signal()
    """`image_input` returns something else: the movie, its look, where it lies."""
    input_changed = Signal()
    """Another movie was chosen."""
    look_changed = Signal()
    """The model sees the same movie otherwise: channels, contrast, gamma, inversion."""
    pixels_replaced = Signal()
    """The layer was given another picture; `input_changed` came before."""
    asked = Signal()
    """Something must be known that the layer does not say; see `question`."""
    picture_requested = Signal(int)
    """A picture of this frame is wanted; answer with `picture.show_picture`."""

    def __init__(
        self,
        viewer: Viewer,
        connections: Connections,
        preferences: Preferences | None = None,
    ) -> None:
        super().__init__("Movie")
        self._viewer = viewer
        self._looks = connections.group()
        self._frozen: dict[Hashable, ImageInput] = {}
        self._is_tracking = False
        self.plane_spins: dict[int, QSpinBox] = {}
        self._choices: dict[Hashable, tuple[ChannelChoice, ...]] = {}
        self._listed: Hashable = None
        self._pixels: Hashable = None
        self._told_axes: set[Hashable] = set()
        self._create(connections, preferences or Preferences())
        self._lay_out()
        self._connect(connections)
        self._wheel = WheelGuard(self)
        self._show_layer()

    def _create(self, connections: Connections, preferences: Preferences) -> None:
        self.layer_combo = LayerCombo(self._viewer, _is_image, connections)
        self.layer_combo.setToolTip("The image layer to track in")
        self.layer_combo.setAccessibleName("Image layer")
        self.frame_axis_combo = AxisCombo(
            "Frame axis", "The axis along which objects are tracked"
        )
        self.channel_axis_combo = AxisCombo(
            "Channel axis",
            "The axis along which channels lie; masks are the same in all of them",
        )
        self.question = Offer()
        self.channels = ChannelRows(self._look_of)
        self.region = RegionButton(self._viewer)
        self.picture = InputPicture(shown=preferences.show_picture)
        self.summary = Note()
        self.folder_files = FolderFiles(self._viewer)
        self.frozen = FrozenBox()

    def _lay_out(self) -> None:
        self.add_row("&Image", self.layer_combo)
        self.add_row("&Frames along", self.frame_axis_combo)
        self.add_row("&Channels along", self.channel_axis_combo)
        self.form.addRow(self.question)
        self.add_row("&Region", self.region)
        self.form.addRow(self.channels)
        self.form.addRow(self.picture)
        self.form.addRow(self.frozen)
        self.form.addRow(self.summary)
        self.form.addRow(self.folder_files)

    def _connect(self, connections: Connections) -> None:
        self.layer_combo.layer_changed.connect(self._show_layer)
        for combo in (self.frame_axis_combo, self.channel_axis_combo):
            combo.currentIndexChanged.connect(self._on_axes_known)
        self.frame_axis_combo.currentIndexChanged.connect(self._show_channel_axis)
        self.channel_axis_combo.currentIndexChanged.connect(self._show_planes)
        self.region.changed.connect(self._renew)
        self.channels.changed.connect(self._on_look_changed)
        self.picture.requested.connect(self._ask_for_picture)
        self.frozen.change_requested.connect(self.thaw)
        connections.add(self._viewer.dims.events.current_step, self._on_moved)
        for emitter in ("inserted", "removed", "renamed"):
            connections.add(
                getattr(self._viewer.layers.events, emitter), self._on_layers_changed
            )

    # --- What is chosen

    @property
    def layer(self) -> Image | None:
        """The chosen image layer."""
        chosen: Image | None = self.layer_combo.layer
        return chosen

    @property
    def frame_axis(self) -> int | None:
        """Dimension along which frames run; None for a single image."""
        return self.frame_axis_combo.axis

    @property
    def channel_axis(self) -> int | None:
        """Dimension along which channels lie; None if there is none."""
        return self.channel_axis_combo.axis

    @property
    def frame_index(self) -> int:
        """The frame at the viewer's cursor, within the movie."""
        layer, axis = self.layer, self.frame_axis
        if layer is None or axis is None:
            return 0
        position = round(layer.world_to_data(self._viewer.dims.point)[axis])
        return int(min(max(position, 0), layer_shape(layer)[axis] - 1))

    def axes(self) -> LayerAxes:
        """Return where frames lie in the layer.

        Raises
        ------
        InputError
            If there is no layer, or it has too many dimensions.
        """
        layer = self.layer
        if layer is None:
            raise InputError("There is no image layer: open a movie first")
        stay_at = {axis: spin.value() for axis, spin in self.plane_spins.items()}
        axes = lay_out_layer(
            layer_shape(layer),
            layer.axis_labels,
            self.frame_axis,
            stay_at,
            self.channel_axis,
        )
        return replace(axes, region=self.region.region)

    def image_input(self) -> ImageInput:
        """Return the movie as it is frozen, or else as it is chosen and shown now.

        Raises
        ------
        InputError
            See `axes`.
        """
        chosen = self._chosen_input()
        return self._frozen.get(chosen.movie_key, chosen)

    def _chosen_input(self) -> ImageInput:
        axes = self.axes()
        layers = {layer.unique_id: layer for layer in self.image_layers()}
        # A layer may be gone whose rows have not heard of it yet.
        choices = [
            one for one in self.channels.choices if one.source.layer_id in layers
        ]
        return image_input(self.layer, axes, choices, layers)

    # --- Frozen or free

    @property
    def is_look_frozen(self) -> bool:
        """Whether what the model sees of this movie is frozen with the session."""
        return self._is_usable() and self._chosen_input().movie_key in self._frozen

    def freeze(self) -> None:
        """Keep what the model sees, whatever becomes of the layers' contrast.

        Raises
        ------
        InputError
            See `axes`.
        """
        seen = self.image_input()
        self._on_axes_known()
        self._frozen[seen.movie_key] = seen
        self._show_frozen()

    def thaw(self) -> None:
        """Let what the model sees of this movie be changed again."""
        if self.is_look_frozen:
            del self._frozen[self._chosen_input().movie_key]
            self._on_look_changed()

    def forget_layer(self, layer_id: Hashable) -> None:
        """Let go of a movie whose layer is gone, frozen or not."""
        self._choices.pop(layer_id, None)
        self.region.forget_layer(layer_id)
        for key, image in list(self._frozen.items()):
            if image.layer_id == layer_id:
                del self._frozen[key]
        self.image_changed.emit()

    def stay_at(self, axis: int, index: int) -> None:
        """Stay at an index of an axis that is neither frames nor channels."""
        if axis in self.plane_spins:
            self.plane_spins[axis].setValue(index)

    def show_region(self, region: Window | None) -> None:
        """Show the region of a session: ``(y, x, height, width)``; None for all."""
        self.region.show_region(region)
        self.image_changed.emit()

    def set_frozen(self, frozen: bool) -> None:
        """Let nothing be changed while something is tracked; the look stays frozen."""
        self._is_tracking = frozen
        if frozen and self._is_usable():
            self.freeze()
        for widget in (
            self.layer_combo,
            self.frame_axis_combo,
            self.channel_axis_combo,
            self.region,
            *self.plane_spins.values(),
        ):
            widget.setDisabled(frozen)
        self._show_frozen()

    # --- Steps

    def _show_layer(self) -> None:
        """Offer the frame axes of the layer."""
        layer = self.layer
        shape, names = shape_and_names(layer)
        self.folder_files.show_layer(layer)
        self.region.show_layer(layer)
        guess = guess_frame_axis(shape, names)
        axes = candidate_frame_axes(shape)
        # Where no axis says that it is time, which it is must be chosen.
        few = unsure_axes(shape, names)
        has_none = guess is None or guess in few
        self.frame_axis_combo.show_axes(axes, shape, names, guess, none=has_none)
        self._show_row(self.frame_axis_combo, bool(axes))
        self._show_channel_axis()
        self._ask_about(few[0] if few else None)

    def _ask_about(self, axis: int | None) -> None:
        """Ask, once for each layer, whether a short axis without a name is channels."""
        layer = self.layer
        self.question.withdraw()
        if axis is None or layer is None or layer.unique_id in self._told_axes:
            return
        count, name = layer_shape(layer)[axis], axis_name(layer.axis_labels[axis], axis)
        other = "frames" if axis == self.frame_axis else "planes"
        self.question.make(
            f"Nothing says what the {count} pictures along {name} are.",
            {
                "Channels": partial(self._take_for_channels, axis),
                other.capitalize(): self._on_axes_known,
            },
        )
        for before, after in pairwise((self.channel_axis_combo, *self.question.stops)):
            self.setTabOrder(before, after)
        self.asked.emit()

    def _on_axes_known(self, _index: int = 0) -> None:
        """Ask no more: somebody has said what the axes of this layer are."""
        if self.layer is not None:
            self._told_axes.add(self.layer.unique_id)
        self.question.withdraw()

    def _take_for_channels(self, axis: int) -> None:
        if axis == self.frame_axis:
            others = candidate_frame_axes(layer_shape(self.layer))
            self.frame_axis_combo.choose(
                next((one for one in others if one != axis), None)
            )
        self.channel_axis_combo.choose(axis)

    def _show_channel_axis(self) -> None:
        """Offer the other axes as that of channels; the one called so is chosen."""
        shape, names = shape_and_names(self.layer)
        others = [
            axis for axis in candidate_frame_axes(shape) if axis != self.frame_axis
        ]
        guess = guess_channel_axis(shape, names, self.frame_axis)
        # An axis that is called channel is one.
        others = [axis for axis in others if guess in (None, axis)]
        self.channel_axis_combo.show_axes(
            others, shape, names, guess, none=guess is None
        )
        self._show_row(self.channel_axis_combo, bool(others))
        self._show_planes()

    def _show_planes(self) -> None:
        """Offer a place to stay on each other axis: the one that is shown now."""
        for spin in self.plane_spins.values():
            self.form.removeRow(spin)
        self.plane_spins.clear()
        layer = self.layer
        if layer is not None:
            here = layer.world_to_data(self._viewer.dims.point)
            shape = layer_shape(layer)
            for axis in candidate_frame_axes(shape):
                if axis not in (self.frame_axis, self.channel_axis):
                    self._add_plane(axis, shape[axis], round(here[axis]))
        self._show_sources()
        self._renew()

    def _add_plane(self, axis: int, length: int, index: int) -> None:
        spin = QSpinBox()
        spin.setRange(0, length - 1)
        spin.setValue(index)
        spin.setToolTip(f"Stay here, 0 to {length - 1}; masks lie on this plane only")
        spin.valueChanged.connect(self._renew)
        before = [self.frame_axis_combo, *self.plane_spins.values()][-1]
        self.plane_spins[axis] = spin
        self._wheel.add(spin)
        row, _ = self.form.getWidgetPosition(self.channel_axis_combo)
        name = axis_name(self.layer_combo.layer.axis_labels[axis], axis)
        spin.setAccessibleName(f"Stay at {name}")
        self.insert_row(row, f"Stay at {name}", spin)
        self.setTabOrder(before, spin)

    def _on_layers_changed(self, _event: object = None) -> None:
        before = self.channels.choices
        self._show_sources()
        self.image_changed.emit()
        if self.channels.choices != before:
            self._on_look_changed()

    def _show_sources(self) -> None:
        """List the channels that can be seen, and watch their layers' looks."""
        self._looks.close()
        self._choices[self._listed] = self.channels.choices
        layer = self.layer
        self._pixels = None if layer is None else pixels_of(layer)
        if layer is not None:
            self._looks.add(layer.events.data, self._on_pixels)
            self._watch(layer, "scale", "translate", "units", "axis_labels")
        if layer is None or layer.rgb:
            self.channels.show_sources(())
            self.channels.setVisible(False)
            return
        self.channels.setVisible(True)
        sources = channel_sources(
            self.image_layers(), layer, layer_shape(layer), self.channel_axis
        )
        is_same = self._listed == layer.unique_id
        self.channels.show_sources(sources, keep=is_same)
        if not is_same and layer.unique_id in self._choices:
            self.channels.show_choices(self._choices[layer.unique_id])
        self._listed = layer.unique_id
        used = {source.layer_id for source in sources}
        for one in self.image_layers():
            if one.unique_id in used:
                if one is not layer:
                    self._watch(one, "data")
                for name in ("contrast_limits", "gamma", "colormap"):
                    self._looks.add(getattr(one.events, name), self._on_layer_look)

    def _watch(self, layer: Image, *names: str) -> None:
        for name in names:
            self._looks.add(getattr(layer.events, name), self._on_layer_changed)

    def _renew(self) -> None:
        try:
            axes = self.axes()
        except InputError as error:
            self.summary.show_text(f"{error}.")
            self.picture.show_picture(None)
        else:
            height, width = axes.frame_shape
            reading = reading_of(axes, shape_and_names(self.layer)[1])
            self.summary.show_text(
                f"{counted(axes.frame_count, 'frame')} of {height} × {width} pixels, "
                f"{reading}"
            )
        self._show_frozen()
        self.picture.ask()
        self.image_changed.emit()
        self.input_changed.emit()

    def _show_frozen(self) -> None:
        """Show the look that is in force, and whether it can be changed."""
        is_frozen = self.is_look_frozen
        state = look_state(self.layer, self.channels.choices, is_frozen=is_frozen)
        self.frozen.show_state(state, is_changeable=not self._is_tracking)
        if is_frozen:
            self.channels.show_choices(self.image_input().choices)
        self.channels.setDisabled(is_frozen or self._is_tracking)

    def _is_usable(self) -> bool:
        """Whether there is a movie."""
        try:
            self.axes()
        except InputError:
            return False
        return True

    def _on_look_changed(self) -> None:
        self._show_frozen()
        self.picture.ask()
        self.image_changed.emit()
        self.look_changed.emit()

    def _on_layer_look(self, _event: object = None) -> None:
        """Follow a layer whose contrast, gamma or colours were changed."""
        if not self.is_look_frozen:
            self.channels.renew_looks()
            self._on_look_changed()

    def _on_layer_changed(self, _event: object = None) -> None:
        self.image_changed.emit()

    def _on_pixels(self, _event: object = None) -> None:
        """Begin anew with a layer that was given another picture."""
        layer, before = self.layer, self._pixels
        if layer is None or pixels_of(layer) == before:
            self._on_layer_changed()
            return
        self.forget_layer(layer.unique_id)
        self._show_layer()
        self.pixels_replaced.emit()

    def _on_moved(self, _event: object = None) -> None:
        self.picture.ask()

    def _ask_for_picture(self) -> None:
        if self.layer is not None:
            self.picture_requested.emit(self.frame_index)

    def _look_of(self, source: ChannelSource) -> Look | None:
        for layer in self.image_layers():
            if layer.unique_id == source.layer_id:
                return look_of(layer)
        return None

    def image_layers(self) -> list[Image]:
        """Return all image layers of the viewer."""
        return [layer for layer in self._viewer.layers if _is_image(layer)]

    def _show_row(self, combo: QWidget, shown: bool) -> None:
        for widget in (self.form.labelForField(combo), combo):
            if widget is not None:
                widget.setVisible(shown)


def _is_image(layer: object) -> bool:
    from napari.layers import Image

    return isinstance(layer, Image)
