"""A held-out split by appearance: near-duplicates never lie on both sides.

Collections of microscope images hold many crops of one picture and many pictures of
one experiment. A split drawn image by image lets a model be tested on pictures that it
has all but seen. Here images are described by a few numbers, joined into clusters, and
whole clusters are held out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import gaussian_filter

from napari_sam2.errors import InputError
from napari_sam2.train.data.examples import LabelledFrames

SAME_APPEARANCE = 0.15
"""Distance of two descriptions below which images count as the same experiment."""

HISTOGRAM_BINS = 16
TEXTURE_SCALES = (1.0, 2.0, 4.0, 8.0)
REFERENCE_SIDE = 256


def describe(pixels: np.ndarray) -> np.ndarray:
    """Return a vector of what an image looks like.

    Parameters
    ----------
    pixels
        ``(Y, X, C)`` uint8, grey (C = 1) or RGB.

    Returns
    -------
    numpy.ndarray
        ``(26,)`` float: cumulative histogram of brightness, saturation, tint of the
        three channels, contrast at four scales, and twice log2 of both sides. Parts are
        scaled so that 0.1 is a difference one can see.
    """
    colour = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.float64)
    grey = colour.mean(axis=-1)
    counts, _ = np.histogram(grey, bins=HISTOGRAM_BINS, range=(0, 256))
    saturation = (colour.max(axis=-1) - colour.min(axis=-1)).mean() / 30
    tint = (colour.mean(axis=(0, 1)) - grey.mean()) / 30
    texture = [
        np.std(gaussian_filter(grey, scale) - gaussian_filter(grey, 2 * scale)) / 20
        for scale in TEXTURE_SCALES
    ]
    sides = 2 * np.log2(np.array(grey.shape) / REFERENCE_SIDE)
    histogram = np.cumsum(counts) / grey.size
    return np.concatenate([histogram, [saturation], tint, texture, sides])


def clusters_of(descriptions: np.ndarray) -> np.ndarray:
    """Return the cluster, 1, 2, …, of each row of ``(images, features)``.

    Average linkage, cut at `SAME_APPEARANCE`.
    """
    if len(descriptions) < 2:
        return np.ones(len(descriptions), dtype=np.int64)
    tree = linkage(descriptions, "average")
    clusters: np.ndarray = fcluster(tree, SAME_APPEARANCE, "distance").astype(np.int64)
    return clusters


def hold_out(
    names: Sequence[str], clusters: np.ndarray, share: float, seed: int
) -> list[str]:
    """Return the names of whole clusters that together are about ``share`` of all.

    Clusters are taken in a random order; one that would exceed the share is passed
    over, so that a single large cluster does not become the whole of the split.
    """
    wanted = round(share * len(names))
    random = np.random.default_rng(seed)
    held: list[str] = []
    for cluster in random.permutation(np.unique(clusters)):
        members = [
            name for name, own in zip(names, clusters, strict=True) if own == cluster
        ]
        if len(held) + len(members) <= wanted:
            held += members
    return sorted(held)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which images are held out.

    Attributes
    ----------
    names
        All images, in the order they were read.
    clusters
        The cluster of each, 1, 2, ….
    held_out
        Sorted names of those that are kept for validation.
    """

    names: tuple[str, ...]
    clusters: np.ndarray
    held_out: tuple[str, ...]

    def table(self) -> str:
        """Return ``name,cluster`` lines, with a heading, as they are kept on disk."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "cluster"])
        writer.writerows(zip(self.names, self.clusters.tolist(), strict=True))
        return text.getvalue()


def split_by_appearance(
    images: Iterable[LabelledFrames], share: float, seed: int
) -> Split:
    """Hold out whole clusters of similar images.

    Parameters
    ----------
    images
        All images of a collection; only the first frame of each is looked at.
    share
        Largest part of the images that is held out, 0 … 1.
    seed
        Of the order in which clusters are drawn.

    Raises
    ------
    InputError
        If nothing or everything would be held out.
    """
    described = [(image.name, describe(image.frames[0])) for image in images]
    names = tuple(name for name, _ in described)
    clusters = clusters_of(np.array([vector for _, vector in described]))
    held = hold_out(names, clusters, share, seed)
    if not 0 < len(held) < len(names):
        raise InputError(
            f"{len(held)} of {len(names)} images in {len(set(clusters.tolist()))} "
            f"clusters of like appearance would be held out; give another share than "
            f"{share:g}, or more images"
        )
    return Split(names, clusters, tuple(held))
