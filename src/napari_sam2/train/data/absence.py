"""Reasons for which an object cannot be seen: erased, covered, another scene.

A model learns to say "not here" only from frames that lack the object. In crops of a
moving picture objects leave at the border and little else, so absence is made: an
object vanishes among its neighbours, something lies on it, or the movie cuts elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

FOREIGN = 1 << 24
"""Added to the ids of objects that come from another place: they are never chosen."""

SMALLEST_SIGHT = 12
"""An object of which fewer crop pixels are seen counts as absent."""

FOR_GOOD = 0.4
"""Share of the absences that last until the clip's end."""

CUT = 0.25
CROSSING = 0.25
"""Shares of the clips with a scene cut (at full absence), and with a passing thing."""

TRIED_SHIFTS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A clip before its contrast is varied.

    Attributes
    ----------
    frames
        ``(T, 3, S, S)`` float32 in 0…1.
    labels
        ``(T, S, S)`` int32.
    """

    frames: torch.Tensor
    labels: np.ndarray

    def copy(self) -> Scene:
        """Return a scene that may be painted on."""
        return Scene(self.frames.clone(), self.labels.copy())


def make_absent(
    scene: Scene,
    ids: np.ndarray,
    elsewhere: Scene | None,
    absence: float,
    random: np.random.Generator,
) -> Scene:
    """Let objects vanish or be covered, something pass by, or the scene be cut.

    Frame 0, where objects are prompted, is never touched.

    Parameters
    ----------
    scene
        A clip of at least two frames.
    ids
        Objects that are followed.
    elsewhere
        One frame of another place, shown after a cut; with None there is no cut.
    absence
        Probability that an object vanishes or is covered.
    """
    scene = scene.copy()
    for object_id in np.unique(ids):
        if random.random() < absence:
            first, last = _span(len(scene.labels), random)
            remove = erase if random.random() < 0.6 else cover
            remove(scene, int(object_id), range(first, last), random)
    if random.random() < CROSSING:
        cross(scene, random)
    if elsewhere is not None and random.random() < CUT * absence:
        first, last = _span(len(scene.labels), random)
        scene.frames[first:last] = elsewhere.frames[:1]
        foreign = elsewhere.labels[:1]
        scene.labels[first:last] = np.where(foreign > 0, foreign + FOREIGN, foreign)
    return scene


def _span(count: int, random: np.random.Generator) -> tuple[int, int]:
    """Return first frame (not 0) and end of an absence."""
    first = int(random.integers(1, count))
    if random.random() < FOR_GOOD:
        return first, count
    return first, int(random.integers(first, count)) + 1


# --- Erasing


def erase(
    scene: Scene, object_id: int, frames: range, random: np.random.Generator
) -> None:
    """Replace an object by what surrounds it, in place; its neighbours stay."""
    pixels = scene.frames.numpy()  # shares its memory
    shift: tuple[int, int] | None = None
    widen = int(random.integers(2, 5))
    for frame in frames:
        labels = scene.labels[frame]
        inside = labels == object_id
        if not inside.any():
            continue
        free = inside | (labels == 0)
        zone = ndimage.binary_dilation(inside, iterations=widen) & free
        if shift is None:
            shift = _background_shift(zone, labels, random)
        filling = _filling(pixels[frame], zone, labels, shift, random)
        edge = ndimage.gaussian_filter(zone.astype(np.float32), 1.0)
        opacity = np.clip(2.0 * edge, 0, 1) * free
        opacity[inside] = 1.0
        pixels[frame] += opacity * (filling - pixels[frame])
        labels[inside] = 0


def _background_shift(
    zone: np.ndarray, labels: np.ndarray, random: np.random.Generator
) -> tuple[int, int]:
    """Return the way (y, x) from a zone to a place that is mostly background."""
    rows, columns = np.nonzero(zone)
    reach = max(np.ptp(rows), np.ptp(columns)) + 4
    best, best_share = (0, 0), -1.0
    for _ in range(TRIED_SHIFTS):
        angle, far = random.uniform(0, 2 * np.pi), reach * random.uniform(0.9, 2.2)
        way = round(far * np.sin(angle)), round(far * np.cos(angle))
        good = _is_background(rows + way[0], columns + way[1], labels)
        if good.mean() > best_share:
            best, best_share = way, float(good.mean())
    return best


def _is_background(
    rows: np.ndarray, columns: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    height, width = labels.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    clipped = labels[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
    good: np.ndarray = inside & (clipped == 0)
    return good


def _filling(
    picture: np.ndarray,
    zone: np.ndarray,
    labels: np.ndarray,
    shift: tuple[int, int],
    random: np.random.Generator,
) -> np.ndarray:
    """Return ``(3, S, S)``: texture from the shifted place at the brightness around."""
    ring = ndimage.binary_dilation(zone, iterations=4) & ~zone & (labels == 0)
    around = picture[:, ring] if ring.any() else picture.reshape(3, -1)
    rows, columns = np.nonzero(ndimage.binary_dilation(zone, iterations=3))
    far_rows, far_columns = rows + shift[0], columns + shift[1]
    good = _is_background(far_rows, far_columns, labels)
    # Where there is no background to copy, pixels of the ring are strewn.
    values = around[:, random.integers(around.shape[1], size=len(rows))]
    if good.any():
        copied = picture[:, far_rows[good], far_columns[good]]
        level = around.mean(axis=1) - copied.mean(axis=1)
        values[:, good] = copied + level[:, None]
    filling = picture.copy()
    filling[:, rows, columns] = values
    return filling


# --- Covering


def cover(
    scene: Scene, object_id: int, frames: range, random: np.random.Generator
) -> None:
    """Lay an ellipse on an object, in place; it goes where the object goes."""
    size = random.uniform(1.0, 1.7)
    texture = _Texture(scene, random)
    for frame in frames:
        inside = scene.labels[frame] == object_id
        if not inside.any():
            continue
        rows, columns = np.nonzero(inside)
        middle = np.array([np.mean(rows), np.mean(columns)])
        extent = np.array([np.ptp(rows), np.ptp(columns)])
        texture.paint(scene, frame, _ellipse(inside.shape, middle, extent * size))


def cross(scene: Scene, random: np.random.Generator) -> None:
    """Let an ellipse cross the scene, in place."""
    count, side = len(scene.labels), scene.labels.shape[1]
    radius = random.uniform(0.06, 0.2, 2) * side
    start = random.uniform(0.2, 0.8, 2) * side
    velocity = random.normal(0, 0.06 * side, 2)
    texture = _Texture(scene, random)
    for frame in range(1, count):
        middle = start + velocity * frame
        texture.paint(scene, frame, _ellipse((side, side), middle, radius))


class _Texture:
    """What an occluder looks like: another part of frame 0, or one colour of it."""

    def __init__(self, scene: Scene, random: np.random.Generator) -> None:
        side = scene.labels.shape[1]
        drawn = random.integers(side // 4, 3 * side // 4, 2)
        shift = (int(drawn[0]), int(drawn[1]))
        self.pixels = torch.roll(scene.frames[0], shift, (1, 2)).clone()
        labels = np.roll(scene.labels[0], shift, (0, 1))
        self.labels = np.where(labels > 0, labels + FOREIGN, 0)
        if random.random() < 0.5:
            y, x = random.integers(side, size=2)
            self.pixels[:] = self.pixels[:, int(y), int(x), None, None].clone()
            self.labels[:] = 0

    def paint(self, scene: Scene, frame: int, where: np.ndarray) -> None:
        chosen = torch.from_numpy(where)
        scene.frames[frame] = torch.where(chosen, self.pixels, scene.frames[frame])
        scene.labels[frame][where] = self.labels[where]


def _ellipse(
    shape: tuple[int, ...], middle: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    rows = (y - middle[0]) / max(radius[0], 1.0)
    columns = (x - middle[1]) / max(radius[1], 1.0)
    inside: np.ndarray = rows**2 + columns**2 < 1
    return inside
