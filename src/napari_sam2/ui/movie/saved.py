"""What the input panel says, as JSON, and back: for sessions that are saved."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from napari_sam2.engine.movie.channels import ChannelChoice, ChannelSource, Look
from napari_sam2.engine.movie.image_input import ImageInput
from napari_sam2.errors import InputError
from napari_sam2.ui.movie.panel import InputPanel

Index = Annotated[int, Field(ge=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SavedChannel(_Entry):
    """One channel that the model saw: whose, and how it was shown."""

    color: str
    layer: str
    index: Index | None
    limits: tuple[FiniteFloat, FiniteFloat]
    gamma: Annotated[float, Field(gt=0)]
    invert: bool


class SavedInput(_Entry):
    """Which movie, and what the model saw of it; layers by their names."""

    layer: str
    frame_axis: Index | None
    channel_axis: Index | None
    stay_at: dict[int, Index]
    channels: tuple[SavedChannel, ...]


def save_input(seen: ImageInput, names: dict[Hashable, str]) -> dict[str, Any]:
    """Return a movie as JSON.

    Parameters
    ----------
    seen
        The movie.
    names
        Names of all layers, by their ids.
    """
    axes = seen.axes
    saved = SavedInput(
        layer=seen.name,
        frame_axis=axes.frame_axis,
        channel_axis=axes.channel_axis,
        stay_at={axis: at for axis, at in axes.fixed if axis != axes.channel_axis},
        channels=tuple(
            SavedChannel(
                color=one.color,
                layer=names.get(one.source.layer_id, one.source.title),
                index=one.source.index,
                limits=one.look.limits,
                gamma=one.look.gamma,
                invert=one.look.invert,
            )
            for one in seen.channels
        ),
    )
    return saved.model_dump(mode="json")


def restore_input(panel: InputPanel, saved: dict[str, Any]) -> None:
    """Let a panel show a saved movie, and freeze what the model saw of it.

    Raises
    ------
    InputError
        If what was saved is broken, or a layer of that name is not open.
    """
    try:
        wanted = SavedInput.model_validate(saved)
    except ValidationError as error:
        raise InputError(
            f"the saved input of this session is broken ({error.errors()[0]['msg']}): "
            "choose the movie again"
        ) from error
    layers = {str(layer.name): layer for layer in panel.image_layers()}
    for name in (wanted.layer, *(one.layer for one in wanted.channels)):
        if name not in layers:
            raise InputError(
                f"the image layer {name!r} of this session is not open: open it, or "
                "rename the layer that holds it"
            )
    panel.layer_combo.choose(layers[wanted.layer])
    panel.frame_axis_combo.choose(wanted.frame_axis)
    panel.channel_axis_combo.choose(wanted.channel_axis)
    for axis, index in wanted.stay_at.items():
        panel.stay_at(axis, index)
    panel.channels.show_choices(
        [
            ChannelChoice(
                one.color,
                ChannelSource(layers[one.layer].unique_id, one.index, one.layer),
                Look(one.limits, one.gamma, one.invert),
            )
            for one in wanted.channels
        ]
    )
    panel.freeze()
