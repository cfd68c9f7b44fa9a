"""Make the animation at the top of the README: clicks, then what nano follows.

    python docs/make_animation.py

Every nucleus of a simulated movie gets one click on the first frame; nothing is
corrected, and nothing is drawn but the movie and what the model gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dask.array as da
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

import napari_sam2 as ns
from napari_sam2.palette import object_rgb
from napari_sam2.synthetic import MovieConfig, SimulatedMovie
from napari_sam2.synthetic.clicks import clicks_inside

OUT = Path(__file__).parent / "images" / "tracking.gif"
MOVIE = MovieConfig(frame_count=40, cell_count=9, division_rate=0, seed=5)
ENLARGED = 2
STRIP = 34
"""Rows below the movie, for a line of text."""

LIMITS, GAMMA = (330, 3300), 0.8
"""What is shown as black and white, and what lies between."""

GREYS = 24
"""Levels of brightness in the file: more make it larger, and nobody sees them."""

OUTLINE = 2
"""Pixels."""

FILLED = 0.2
"""How much of a mask's colour covers its inside."""

CLICK_MS, FRAME_MS, LAST_MS = 450, 110, 1500
CLICKING = "Click each cell once …"
FOLLOWED = "… and it is followed, frame by frame"


def main() -> None:
    """Track the movie and write the animation."""
    movie = SimulatedMovie(MOVIE)
    frames = np.stack([movie.frame(index) for index in range(movie.frame_count)])
    clicks = clicks_inside(movie.labels(0))
    labels = ns.track_stack(da.from_array(frames), prompts(clicks)).compute()
    pictures = [*clicking(frames[0], labels[0], clicks), *playing(frames, labels)]
    count = len(clicks)
    times = [CLICK_MS] * (count + 1) + [FRAME_MS] * (len(pictures) - count - 2)
    palette = pictures[-1].quantize(256, dither=Image.Dither.NONE)
    first, *others = [
        one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures
    ]
    first.save(
        OUT,
        save_all=True,
        append_images=others,
        duration=[*times, LAST_MS],
        loop=0,
        optimize=True,
    )


def prompts(clicks: dict[int, tuple[int, int]]) -> list[ns.PromptedObject]:
    """Return one object for each ``(y, x)`` that is clicked on frame 0."""
    return [
        ns.PromptedObject(
            object_id,
            (ns.FramePrompt(object_id, 0, points=(ns.PointPrompt(*place),)),),
        )
        for object_id, place in clicks.items()
    ]


def clicking(
    frame: np.ndarray, labels: np.ndarray, clicks: dict[int, tuple[int, int]]
) -> Iterator[Image.Image]:
    """Yield the first frame: bare, and with one click and mask more each time."""
    yield picture(frame, np.zeros_like(labels), CLICKING)
    ids = list(clicks)
    for number, object_id in enumerate(ids, start=1):
        shown = picture(
            frame, np.where(np.isin(labels, ids[:number]), labels, 0), CLICKING
        )
        y, x = (ENLARGED * (place + 0.5) for place in clicks[object_id])
        ImageDraw.Draw(shown).circle((x, y), 5, fill="white", outline="black", width=2)
        yield shown


def playing(frames: np.ndarray, labels: np.ndarray) -> Iterator[Image.Image]:
    """Yield each frame with its masks."""
    for frame, masks in zip(frames, labels, strict=True):
        yield picture(frame, masks, FOLLOWED)


def picture(frame: np.ndarray, labels: np.ndarray, text: str) -> Image.Image:
    """Return a frame with outlines of its ``(Y, X)`` labels, and a line of text."""
    low, high = LIMITS
    grey = np.clip((frame.astype(float) - low) / (high - low), 0, 1) ** GAMMA
    size = (ENLARGED * frame.shape[1], ENLARGED * frame.shape[0])
    large = Image.fromarray((255 * grey).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    steps = np.round(np.asarray(large) / 255 * (GREYS - 1)) / (GREYS - 1)
    colors = np.repeat(255 * steps[..., None], 3, axis=2)
    masks = np.kron(labels, np.ones((ENLARGED, ENLARGED), labels.dtype))
    for object_id in np.unique(masks[masks > 0]):
        rgb = np.array(object_rgb(int(object_id)))
        inside = masks == object_id
        colors[inside] += FILLED * (rgb - colors[inside])
        colors[inside & ~ndimage.binary_erosion(inside, iterations=OUTLINE)] = rgb
    whole = Image.new("RGB", (size[0], size[1] + STRIP), "black")
    whole.paste(Image.fromarray(colors.astype(np.uint8)))
    font = ImageFont.load_default(size=20)
    ImageDraw.Draw(whole).text(
        (size[0] / 2, size[1] + STRIP / 2), text, "white", font, anchor="mm"
    )
    return whole


if __name__ == "__main__":
    main()
