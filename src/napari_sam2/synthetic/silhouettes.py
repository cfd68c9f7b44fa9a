"""Outlines of single cells on the pixel grid: the exact truth, and their thickness.

Outlines are computed with products of complex numbers instead of sines and arctangents:
faster, and rounded equally everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.synthetic.cells import Stature
from napari_sam2.synthetic.config import RODS, CellKind

_MARGIN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Silhouette:
    """One cell inside one frame.

    Attributes
    ----------
    window
        Rows and columns of the frame that the arrays below belong to.
    mask
        ``(h, w)`` bool, the truth before other cells cover it.
    coverage
        ``(h, w)`` float32 in 0 … 1, the mask with a soft, one pixel wide edge.
    height
        ``(h, w)`` float32 in 0 … 1, how thick the cell is.
    along, across
        ``(h, w)`` float32 body coordinates in pixels, for the texture.
    """

    window: tuple[slice, slice]
    mask: np.ndarray
    coverage: np.ndarray
    height: np.ndarray
    along: np.ndarray
    across: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One cell's numbers on one frame, ready to be drawn.

    Attributes
    ----------
    cell
        Scalar of `CELL_DTYPE`.
    pose
        y, x, angle.
    half_length, half_width, roundness, pinch
        As in `Stature`.
    """

    cell: np.void
    pose: np.ndarray
    half_length: float
    half_width: float
    roundness: float
    pinch: float


def bodies(cells: np.ndarray, pose: np.ndarray, sizes: Stature) -> list[Body]:
    """Return the bodies of one frame, in the order of ``cells``."""
    columns = (sizes.half_length, sizes.half_width, sizes.roundness, sizes.pinch)
    return [
        Body(cell, pose[index], *(float(column[index]) for column in columns))
        for index, cell in enumerate(cells)
    ]


def draw_body(
    body: Body, kind: CellKind, frame_shape: tuple[int, int], frame_index: int
) -> Silhouette | None:
    """Draw a cell as its kind looks; None where nothing of it is in the frame."""
    draw = draw_rod if kind in RODS else draw_blob
    return draw(body, frame_shape, frame_index)


def draw_rod(
    body: Body, frame_shape: tuple[int, int], frame_index: int
) -> Silhouette | None:
    """Draw a bacterium: a bent rod with round ends and, dividing, a waist."""
    extent = np.abs(np.array([np.sin(body.pose[2]), np.cos(body.pose[2])]))
    half_box = extent * body.half_length + body.half_width * (1.2 - extent)
    phase = body.cell["harmonic_rate"][0] * frame_index + body.cell["harmonic_phase"][0]
    bend = np.float32(body.cell["bend"] * np.cos(phase))
    half_box += abs(bend) * body.half_length**2
    window = _window(body.pose[:2] - half_box, body.pose[:2] + half_box, frame_shape)
    if window is None:
        return None
    along, across = _body_coordinates(body, window)
    length = np.float32(body.half_length - body.half_width)
    across = across - bend * (along * along - length * length / 3)
    beyond = np.maximum(np.abs(along) - length, 0)
    waist = (along / np.float32(0.55 * body.half_width)) ** 2
    width = body.half_width * (1 - 0.9 * body.pinch / (1 + waist) ** 2)
    inside = (width - np.sqrt(beyond * beyond + across * across)).astype(np.float32)
    height = np.clip(inside / np.float32(0.35 * body.half_width), 0, 1)
    return Silhouette(
        window, inside > 0, np.clip(inside + 0.5, 0, 1), height, along, across
    )


def draw_blob(
    body: Body, frame_shape: tuple[int, int], frame_index: int
) -> Silhouette | None:
    """Draw a nucleus or a spread cell: an ellipse with a slowly changing outline."""
    turn = np.exp(2j * np.pi * np.arange(72) / 72)
    rim = _outline(body, turn, frame_index) * turn
    rim = rim.real * body.half_length + 1j * rim.imag * body.half_width
    rim *= np.exp(1j * body.pose[2])
    corners = np.stack([rim.imag, rim.real], 1) + body.pose[:2]
    window = _window(corners.min(0), corners.max(0), frame_shape)
    if window is None:
        return None
    along, across = _body_coordinates(body, window)
    place = along / np.float32(body.half_length)
    place = place + np.complex64(1j) * (across / np.float32(body.half_width))
    distance = np.maximum(np.abs(place), np.float32(1e-4))
    inside = _outline(body, place / distance, frame_index) - distance
    # One over the slope makes pixels of it, near enough for a soft edge.
    slope_y, slope_x = np.gradient(inside)
    slope = np.sqrt(slope_y * slope_y + slope_x * slope_x)
    coverage = np.clip(inside / np.maximum(slope, np.float32(0.01)) + 0.5, 0, 1)
    height = np.clip(inside / (inside + distance), 0, 1)
    return Silhouette(window, inside > 0, coverage, height, along, across)


def _outline(body: Body, turn: np.ndarray, frame_index: int) -> np.ndarray:
    """Return the radius of the outline in each direction ``turn`` (unit complex)."""
    cell, spread = body.cell, 1 - body.roundness
    phase = cell["harmonic_rate"] * frame_index + cell["harmonic_phase"]
    weights = spread * cell["harmonic_size"] * np.exp(1j * phase)
    power = turn * turn
    radius: np.ndarray = 1 + np.float32(0.4 * body.pinch) * power.real
    for weight in weights.astype(turn.dtype):
        radius += (power * weight).real
        power = power * turn
    radius = np.maximum(radius, np.float32(0.35))
    breath = 0.5 + 0.5 * np.sin(cell["spike_rate"] * frame_index + cell["spike_phase"])
    lengths = spread * cell["spike_size"] * breath
    sharpness = cell["spike_sharpness"].astype(np.float32)
    back = np.exp(-1j * cell["spike_angle"]).astype(turn.dtype)
    for spike in np.flatnonzero(lengths > 0.02):
        towards = (turn * back[spike]).real
        bump = np.exp(sharpness[spike] * (towards - 1))
        radius += np.float32(lengths[spike]) * bump
    return radius


def _window(
    lower: np.ndarray, upper: np.ndarray, frame_shape: tuple[int, int]
) -> tuple[slice, slice] | None:
    starts = np.maximum(np.floor(lower - _MARGIN), 0).astype(int)
    stops = np.minimum(np.ceil(upper + _MARGIN) + 1, frame_shape).astype(int)
    # A slope needs two pixels in each direction.
    if np.any(stops - starts < 2):
        return None
    return slice(starts[0], stops[0]), slice(starts[1], stops[1])


def _body_coordinates(
    body: Body, window: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(window[0].start, window[0].stop)[:, None] - body.pose[0]
    columns = np.arange(window[1].start, window[1].stop)[None] - body.pose[1]
    sine, cosine = np.sin(body.pose[2]), np.cos(body.pose[2])
    along = (rows * sine + columns * cosine).astype(np.float32)
    across = (rows * cosine - columns * sine).astype(np.float32)
    return along, across
