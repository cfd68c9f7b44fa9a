"""What the input panel says, for sessions that are saved, and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from napari_sam2.engine.movie.image_input import (
    ChannelChoice,
    ChannelSource,
    ImageInput,
    Look,
)
from napari_sam2.errors import InputError
from napari_sam2.io.sessions.document import InputMapping, SavedChannel
from napari_sam2.tiles import Window
from napari_sam2.ui.movie.panel import InputPanel

if TYPE_CHECKING:
    from napari.layers import Image


def mapping_of(image: ImageInput, names: Mapping[Hashable, str]) -> InputMapping:
    """Return a movie as a session keeps it.

    Parameters
    ----------
    names
        Names of all layers, by their ids.
    """
    axes = image.axes
    source = getattr(image.array, "store_path", None)
    return InputMapping(
        source=None if source is None else str(source),
        layer=image.name,
        axes=axes.letters + ("S" if image.is_rgb else ""),
        frame_axis=None if axes.frame_axis is None else axes.letters[axes.frame_axis],
        fixed={axes.letters[axis]: at for axis, at in axes.fixed},
        intensity=image.mapping,
        calibration=image.calibration,
        seen=tuple(
            SavedChannel(
                color=channel.color,
                layer=names.get(channel.source.layer_id, channel.source.title),
                index=channel.source.index,
                limits=channel.look.limits,
                gamma=channel.look.gamma,
                invert=channel.look.invert,
            )
            for channel in image.channels
        ),
    )


def opened_from(layer: Image) -> dict[str, str | None]:
    """Return where a layer was opened from, and by which reader, as it is saved."""
    path, reader = layer.source.path, layer.source.reader_plugin
    return {
        "opened_from": None if path is None else str(path),
        "opened_by": None if path is None or reader is None else str(reader),
    }


def restore_input(
    panel: InputPanel, saved: InputMapping, region: Window | None = None
) -> None:
    """Let a panel show a saved movie, and freeze what the model saw of it.

    Of a session that no window made, the layer alone is known; without a layer of its
    name, the one that is chosen stays.

    Parameters
    ----------
    region
        What the model looked at in each frame; None for all of it.

    Raises
    ------
    InputError
        If no movie is open, or one of the layers that the model saw is not.
    """
    layers = {str(layer.name): layer for layer in panel.image_layers()}
    if saved.seen is None:
        if saved.layer in layers:
            panel.layer_combo.choose(layers[saved.layer])
        panel.show_region(region)
        _go_to_plane(panel, saved)
        return
    for name in (saved.layer, *(channel.layer for channel in saved.seen)):
        if name not in layers:
            raise InputError(
                f"the image layer {name!r} of this session is not open: open it, or "
                "rename the layer that holds it"
            )
    axis_of = {letter: axis for axis, letter in enumerate(saved.axes or "")}
    panel.layer_combo.choose(layers[str(saved.layer)])
    panel.show_region(region)
    panel.frame_axis_combo.choose(axis_of.get(saved.frame_axis or ""))
    panel.channel_axis_combo.choose(axis_of.get("C"))
    for letter, index in saved.fixed.items():
        panel.stay_at(axis_of.get(letter, -1), index)
    panel.channels.show_choices(
        [
            ChannelChoice(
                channel.color,
                ChannelSource(
                    layers[channel.layer].unique_id, channel.index, channel.layer
                ),
                Look(channel.limits, channel.gamma, channel.invert),
            )
            for channel in saved.seen
        ]
    )
    panel.freeze()


def _go_to_plane(panel: InputPanel, saved: InputMapping) -> None:
    """Choose the frames and planes that a run of the command line was made of.

    Its file may have other axes than the layer: channels, say, are layers of their own.
    """
    letters = panel.axes().letters
    if saved.frame_axis is not None and saved.frame_axis in letters[:-2]:
        panel.frame_axis_combo.choose(letters.index(saved.frame_axis))
    for letter, index in saved.fixed.items():
        if letter in letters[:-2]:
            panel.stay_at(letters.index(letter), index)
