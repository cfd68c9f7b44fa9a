"""A held-out split by appearance: near-duplicates never lie on both sides.

Collections of microscope images hold many crops of one picture and many pictures of
one experiment. A split drawn image by image lets a model be tested on pictures that it
has all but seen. Here images are described by a few numbers, joined into clusters, and
whole clusters are held out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import gaussian_filter

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
