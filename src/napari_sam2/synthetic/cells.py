"""One simulated cell as numbers: what is drawn at birth, how it grows and divides.

All cells of a movie are rows of one structured array; the object id is the row + 1.
Everything about a cell but its position is a closed formula of these numbers and the
frame, so that any frame can be rendered without the ones before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam2.synthetic.config import RODS, CellKind, MovieConfig

NEVER = np.iinfo(np.int64).max
"""Frame of an event that does not come."""

HARMONICS = 4
SPIKES = 4
WAVES = 3

CELL_DTYPE = np.dtype(
    [
        ("parent", np.int64),
        ("birth", np.int64),  # first frame; negative for cells that were there before
        ("last", np.int64),  # last frame inside the simulation
        ("due", np.int64),  # frame on which it is old enough to divide
        ("divide_at", np.int64),  # first frame of its daughters
        ("newborn", np.bool_),  # came from a division, not from outside
        ("depth", np.float64),  # cells of greater depth value lie on top
        ("brightness", np.float64),
        ("radius", np.float64),  # of the grown cell; half the width of a rod
        ("aspect", np.float64),
        ("birth_length", np.float64),  # half length of a rod at birth and grown
        ("full_length", np.float64),
        ("bend", np.float64),
        ("texture", np.int64, 2),  # where in the texture tile this cell begins
        ("drift", np.float64, 2),
        ("recoil", np.float64, 2),  # unit vector away from the sister, or 0
        ("wave_speed", np.float64, (3, WAVES)),  # of y, x and angle
        ("wave_rate", np.float64, (3, WAVES)),
        ("wave_phase", np.float64, (3, WAVES)),
        ("harmonic_size", np.float64, HARMONICS),  # of the outline, from the second on
        ("harmonic_rate", np.float64, HARMONICS),
        ("harmonic_phase", np.float64, HARMONICS),
        ("spike_angle", np.float64, SPIKES),
        ("spike_size", np.float64, SPIKES),
        ("spike_sharpness", np.float64, SPIKES),
        ("spike_rate", np.float64, SPIKES),
        ("spike_phase", np.float64, SPIKES),
    ]
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What cells of one kind have in common (lengths relative to the radius)."""

    cell_size: float  # typical long diameter in pixels
    speed: float  # pixels per frame
    aspect: float  # long over short axis
    wobble: float  # size of the outline's harmonics
    spike: float  # length of the protrusions
    beads: int  # circles in a row that stand for the body in contacts
    mitosis: int  # frames from the first rounding to the two daughters
    recovery: float  # frames in which daughters spread again
    shrink: float  # part of the radius that a rounded cell loses
    girth: float = 1.0  # of a rod, as a multiple of that of bacteria


TRAITS: dict[CellKind, Traits] = {
    "nuclei": Traits(30.0, 0.7, 1.35, 0.07, 0.0, 1, 8, 6.0, 0.12),
    "phase": Traits(72.0, 0.8, 1.7, 0.09, 1.4, 3, 14, 10.0, 0.15),
    "bacteria": Traits(40.0, 0.35, 1.0, 0.0, 0.0, 5, 10, 1.0, 0.0),
    "filaments": Traits(70.0, 4.0, 1.0, 0.0, 0.0, 9, 10, 1.0, 0.0, girth=0.2),
}


@dataclass(frozen=True, slots=True)
class Stature:
    """Size and state of cells on one frame; each field is ``(cells,)`` float64.

    Attributes
    ----------
    half_length, half_width
        Half axes in pixels.
    roundness
        0 (spread) … 1 (rounded up for, or just after, a division).
    youth
        1 (just born in a division) … 0; always 0 for rods.
    pinch
        0 … 1, how far the two halves are separated.
    reach
        Radius in pixels of a circle that holds the cell.
    """

    half_length: np.ndarray
    half_width: np.ndarray
    roundness: np.ndarray
    youth: np.ndarray
    pinch: np.ndarray
    reach: np.ndarray


def draw_cell(config: MovieConfig, object_id: int) -> np.ndarray:
    """Draw the lasting properties of one cell; ``()`` of `CELL_DTYPE`.

    Each cell has its own random stream, so that it is the same whatever happens to
    the others. Birth, place and parent are left to the population.
    """
    rng = random_stream(config.seed, "cell", object_id)
    traits = TRAITS[config.kind]
    cell = np.zeros((), CELL_DTYPE)
    cell["parent"], cell["last"], cell["divide_at"] = 0, NEVER, NEVER
    size = (config.cell_size or traits.cell_size) * rng.uniform(0.8, 1.2)
    cell["aspect"] = aspect = 1 + (traits.aspect - 1) * rng.uniform(0.4, 1.6)
    is_rod = config.kind in RODS
    # Protrusions count as a part of the length.
    long_axis = size / 2 / (1 + 0.5 * traits.spike)
    width = rng.uniform(0.13, 0.15) * size * traits.girth
    cell["radius"] = width if is_rod else long_axis / aspect**0.5
    cell["full_length"] = size / 2
    cell["birth_length"] = size / 4
    cell["bend"] = rng.normal(0.0, 0.2) / size
    cell["depth"] = rng.random()
    cell["brightness"] = rng.uniform(0.55, 1.0)
    cell["texture"] = rng.integers(0, 1 << 12, 2)
    _draw_motion(cell, rng, config)
    _draw_outline(cell, rng, config)
    return cell


def _draw_motion(
    cell: np.ndarray, rng: np.random.Generator, config: MovieConfig
) -> None:
    speed = TRAITS[config.kind].speed if config.speed is None else config.speed
    heading = rng.uniform(0, 2 * np.pi)
    cell["drift"] = 0.5 * speed * np.array([np.sin(heading), np.cos(heading)])
    size = rng.uniform(0.3, 1.0, (3, WAVES)) * speed
    size[2] *= 0.03  # radians per frame, for pixels per frame
    cell["wave_speed"] = size
    cell["wave_rate"] = 2 * np.pi / rng.uniform(12.0, 90.0, (3, WAVES))
    cell["wave_phase"] = rng.uniform(0, 2 * np.pi, (3, WAVES))


def _draw_outline(
    cell: np.ndarray, rng: np.random.Generator, config: MovieConfig
) -> None:
    traits = TRAITS[config.kind]
    order = np.arange(2, 2 + HARMONICS)
    cell["harmonic_size"] = traits.wobble * rng.normal(0, 1, HARMONICS).clip(-2, 2)
    cell["harmonic_size"] *= (2 / order) ** 0.7
    rate = config.deformation * 2 * np.pi
    cell["harmonic_rate"] = rate / rng.uniform(25.0, 120.0, HARMONICS)
    cell["harmonic_rate"] *= rng.choice([-1.0, 1.0], HARMONICS)
    cell["harmonic_phase"] = rng.uniform(0, 2 * np.pi, HARMONICS)
    # Protrusions stand mostly near the two ends of the long axis.
    ends = np.pi * np.arange(SPIKES)
    cell["spike_angle"] = ends + rng.normal(0, [0.15, 0.15, 0.9, 0.9])
    cell["spike_sharpness"] = rng.uniform(5.0, 20.0, SPIKES)
    cell["spike_size"] = traits.spike * rng.uniform(0.3, 1.0, SPIKES)
    cell["spike_rate"] = rate / rng.uniform(40.0, 140.0, SPIKES)
    cell["spike_phase"] = rng.uniform(0, 2 * np.pi, SPIKES)


def division_interval(config: MovieConfig, object_id: int) -> int:
    """Draw the number of frames between two divisions of a cell; `NEVER` for none."""
    if config.division_rate == 0:
        return int(NEVER)
    rng = random_stream(config.seed, "interval", object_id)
    return max(2, round(rng.uniform(0.6, 1.4) / config.division_rate))


def stature(cells: np.ndarray, kind: CellKind, frame_index: int) -> Stature:
    """Return the sizes of ``cells`` (``(n,)`` of `CELL_DTYPE`) on a frame."""
    traits = TRAITS[kind]
    age = (frame_index - cells["birth"]).astype(np.float64)
    until_division = (cells["divide_at"] - frame_index).astype(np.float64)
    mitosis = np.clip(1 - until_division / traits.mitosis, 0, 1)
    if kind in RODS:
        return _rod_stature(cells, age, mitosis)
    rounding, splitting = smooth_step(mitosis * 2), smooth_step(mitosis * 2 - 1)
    youth = np.where(cells["newborn"], np.exp(-age / traits.recovery), 0.0)
    roundness = np.maximum(rounding, youth)
    radius = cells["radius"] * (1 - 0.26 * youth) * (1 - traits.shrink * roundness)
    stretch = np.sqrt(cells["aspect"] ** (1 - roundness))
    half_length = radius * stretch * (1 + 0.2 * splitting)
    outline = 1 + np.abs(cells["harmonic_size"]).sum(1) + cells["spike_size"].max(1)
    return Stature(
        half_length=half_length,
        half_width=radius / stretch * (1 - 0.1 * splitting),
        roundness=roundness,
        youth=youth,
        pinch=splitting,
        reach=half_length * (outline + 0.4),
    )


def _rod_stature(cells: np.ndarray, age: np.ndarray, mitosis: np.ndarray) -> Stature:
    lifetime = (cells["due"] - cells["birth"]).astype(np.float64)
    growth = np.clip(age / lifetime, 0, 1)
    ratio = cells["full_length"] / cells["birth_length"]
    half_length = cells["birth_length"] * ratio**growth
    return Stature(
        half_length=half_length,
        half_width=cells["radius"],
        roundness=np.zeros_like(half_length),
        youth=np.zeros_like(half_length),
        pinch=smooth_step(mitosis),
        reach=half_length + cells["radius"],
    )


def smooth_step(x: np.ndarray) -> np.ndarray:
    """Rise from 0 to 1 between x = 0 and x = 1, level at both ends."""
    inside = np.clip(x, 0, 1)
    risen: np.ndarray = inside * inside * (3 - 2 * inside)
    return risen


_STREAMS = ("cell", "interval", "place", "entry", "texture", "light", "noise")


def random_stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the random stream of one purpose and one cell or frame."""
    key = (_STREAMS.index(purpose), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
