"""From silhouettes to camera counts: fluorescence, phase contrast, light and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_sam2.synthetic.cells import random_stream
from napari_sam2.synthetic.config import RODS, CellKind, MovieConfig
from napari_sam2.synthetic.silhouettes import Body, Silhouette

_TILE = 512
_TILE_SCALE = 3  # texture samples per pixel
_BLEACHED = 0.3


@dataclass(frozen=True, slots=True)
class Camera:
    """How light in 0 … 1 becomes counts.

    Attributes
    ----------
    offset, gain
        Counts at no light, and counts per unit of light.
    electrons
        At one unit of light; decides the shot noise.
    read_noise
        Standard deviation in electrons.
    """

    offset: float
    gain: float
    electrons: float
    read_noise: float


_CAMERAS: dict[tuple[CellKind, int], Camera] = {
    ("nuclei", 8): Camera(8, 235, 600, 6),
    ("nuclei", 16): Camera(110, 4200, 600, 6),
    ("phase", 8): Camera(0, 255, 3500, 8),
    ("phase", 16): Camera(2000, 60000, 3500, 8),
    **{(kind, 8): Camera(0, 255, 2500, 8) for kind in RODS},
    **{(kind, 16): Camera(300, 30000, 2500, 8) for kind in RODS},
}

Drawn = tuple[Body, Silhouette]


class Microscope:
    """Renders drawn cells into frames; holds the texture and the uneven light."""

    def __init__(self, config: MovieConfig) -> None:
        self._config = config
        self._camera = _CAMERAS[config.kind, config.bit_depth]
        self._texture = _texture_tile(config)
        self._light = _uneven_light(config)
        self._dirt = _dirt(config)

    def expose(self, drawn: Sequence[Drawn], frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` uint8 or uint16 frame of cells in drawing order."""
        return self.count(self.light(drawn, frame_index), frame_index)

    def light(self, drawn: Sequence[Drawn], frame_index: int) -> np.ndarray:
        """Return the ``(Y, X)`` float32 light that comes from cells, without noise."""
        if self._config.kind == "nuclei":
            light = self._fluorescence(drawn) * self._bleaching(frame_index)
        else:
            light = self._phase_contrast(drawn) + self._dirt
        lit: np.ndarray = (light + np.float32(0.04)) * self._light
        return lit

    def _fluorescence(self, drawn: Sequence[Drawn]) -> np.ndarray:
        canvas = np.zeros(self._config.frame_shape, np.float32)
        for body, shape in drawn:
            grain = self._grain(body, shape)
            condensed = np.float32(body.roundness)
            grain *= np.float32(0.3) * (1 - np.float32(0.5) * condensed)
            grain *= np.minimum(1, 4 * shape.height)  # no dark spot cuts the rim
            level = np.float32(body.cell["brightness"] * 0.6) * (1 + condensed)
            dome = np.float32(0.62) + np.float32(0.38) * np.sqrt(shape.height)
            canvas[shape.window] += shape.coverage * level * dome * (1 + grain)
        sharp: np.ndarray = ndimage.gaussian_filter(
            canvas, self._config.blur, truncate=3.0
        )
        sharp += np.float32(0.12) * _haze(canvas, 12)
        return sharp

    def _phase_contrast(self, drawn: Sequence[Drawn]) -> np.ndarray:
        """Dark thick things with a bright halo: the delay minus its own wide blur."""
        delay = np.zeros(self._config.frame_shape, np.float32)
        is_rod = self._config.kind in RODS
        for body, shape in drawn:
            grain = self._grain(body, shape)
            if is_rod:
                thick = (np.float32(0.75) + np.float32(0.06) * grain) * shape.height
            else:
                thick = _spread_cell_delay(body, shape, grain)
            under = delay[shape.window]
            # A cell on top hides most of what is under it.
            under *= 1 - np.float32(0.6) * shape.coverage
            under += shape.coverage * thick
        delay = ndimage.gaussian_filter(delay, self._config.blur, truncate=3.0)
        leak = np.float32(0.45) * (_haze(delay, 9) + _haze(delay, 25))
        light: np.ndarray = np.float32(0.42) - np.float32(0.5) * (delay - leak)
        return light

    def _grain(self, body: Body, shape: Silhouette) -> np.ndarray:
        """Sample the texture in body coordinates: it moves and turns with the cell."""
        start = body.cell["texture"]
        row = (shape.across * _TILE_SCALE).astype(np.int32) + np.int32(start[0])
        column = (shape.along * _TILE_SCALE).astype(np.int32) + np.int32(start[1])
        grain: np.ndarray = self._texture[row & (_TILE - 1), column & (_TILE - 1)]
        return grain

    def _bleaching(self, frame_index: int) -> np.float32:
        left = (1 - self._config.bleaching) ** frame_index
        return np.float32(_BLEACHED + (1 - _BLEACHED) * left)

    def count(self, light: np.ndarray, exposure: int) -> np.ndarray:
        """Return the ``(Y, X)`` uint8 or uint16 counts of light, each with its noise.

        Parameters
        ----------
        light
            ``(Y, X)`` float32, see `light`.
        exposure
            Number of the picture; each has other noise.
        """
        camera = self._camera
        if self._config.noise > 0:
            rng = random_stream(self._config.seed, "noise", exposure)
            scale = np.float32(self._config.noise / camera.electrons)
            variance = np.maximum(light, 0) * np.float32(camera.electrons)
            deviation = np.sqrt(variance + np.float32(camera.read_noise**2))
            noise = rng.standard_normal(light.shape, dtype=np.float32)
            light = light + noise * deviation * scale
        counts = np.rint(light * np.float32(camera.gain) + np.float32(camera.offset))
        dtype = self._config.dtype
        frame: np.ndarray = np.clip(counts, 0, np.iinfo(dtype).max).astype(dtype)
        return frame


def _spread_cell_delay(body: Body, shape: Silhouette, grain: np.ndarray) -> np.ndarray:
    """Thin at the rim, a nucleus in the middle, granules; bright when rounded up."""
    height = shape.height
    nucleus = (shape.along / np.float32(0.34 * body.half_length)) ** 2
    nucleus = nucleus + (shape.across / np.float32(0.42 * body.half_width)) ** 2
    membrane = np.exp(-8 * (nucleus - 1) ** 2)
    flat = np.float32(0.34) + np.float32(0.3) * height + np.float32(0.1) * membrane
    flat -= np.float32(0.12) * (nucleus < 1)
    flat += grain * (np.float32(0.08) + np.float32(0.25) * height)
    # A rounded cell delays by more than half a wave: dark rim, bright inside.
    ball = np.float32(0.8) - np.float32(3.2) * np.clip(height - 0.12, 0, 1)
    ball += np.float32(0.1) * grain
    mix = np.float32(body.roundness)
    return (1 - mix) * flat + mix * ball


def _haze(image: np.ndarray, size: int) -> np.ndarray:
    """Blur widely: two box means, nearly a Gaussian of 0.41 × size, much faster."""
    once = ndimage.uniform_filter(image, size, mode="nearest")
    twice: np.ndarray = ndimage.uniform_filter(once, size, mode="nearest")
    return twice


def _texture_tile(config: MovieConfig) -> np.ndarray:
    """Return a periodic ``(512, 512)`` float32 texture of mean 0, about −1 … 1."""
    rng = random_stream(config.seed, "texture")
    noise = rng.standard_normal((_TILE, _TILE), dtype=np.float32)
    sigmas = {"nuclei": (3.0, 9.0), "phase": (2.6, 6.0)}
    fine, coarse = (
        _standardised(ndimage.gaussian_filter(noise, sigma, mode="wrap"))
        for sigma in sigmas.get(config.kind, (3.0, 8.0))
    )
    if config.kind == "nuclei":
        nucleoli = np.clip(-coarse - 1.1, 0, 1.0)
        return _standardised(0.6 * fine + 0.7 * coarse - 2.2 * nucleoli)
    if config.kind == "phase":
        dark = np.clip(fine - 1.3, 0, 1.2) * 3
        bright = np.clip(-fine - 1.9, 0, 1) * 3
        return _standardised(0.35 * coarse + dark - bright)
    return _standardised(fine + coarse)


def _standardised(image: np.ndarray) -> np.ndarray:
    centred: np.ndarray = (image - image.mean()) / image.std()
    return centred.astype(np.float32)


def _uneven_light(config: MovieConfig) -> np.ndarray:
    """Return the ``(Y, X)`` float32 light field, 1 where brightest."""
    rng = random_stream(config.seed, "light")
    centre = rng.uniform(0.3, 0.7, 2)
    rows, columns = (np.linspace(0, 1, size) for size in config.frame_shape)
    fall = (rows[:, None] - centre[0]) ** 2 + (columns[None] - centre[1]) ** 2
    field: np.ndarray = 1 - config.illumination * fall / fall.max()
    return field.astype(np.float32)


def _dirt(config: MovieConfig) -> np.ndarray:
    """Return faint specks that stay in place; ``(Y, X)`` float32."""
    rng = random_stream(config.seed, "light", 1)
    height, width = config.frame_shape
    specks = np.zeros(config.frame_shape, np.float32)
    count = height * width // 2500
    places = rng.integers(0, (height, width), (count, 2))
    specks[places[:, 0], places[:, 1]] = rng.normal(0, 1, count)
    blurred: np.ndarray = ndimage.gaussian_filter(specks, 1.5)
    return np.float32(0.5) * blurred
