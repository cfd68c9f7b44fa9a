"""Broken movies and label images: TIFF, zarr, PNG, JPEG, BMP, npy."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr
from tools.soak.mutations import change_file, changed_bytes, changed_text

from napari_sam2.errors import NapariSam2Error
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_frames import EVERYTHING, cut_label_frames

SHAPE = (20, 24)


PIXELS = np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, *SHAPE)


def read_movie(path: Path) -> None:
    """Read the first and the last frame of a movie, as labels too."""
    options: dict[str, Any]
    for options in ({}, {"axes": "TYX"}):
        try:
            frames = open_frames(path, **options)
        except NapariSam2Error:
            if options:
                raise
            continue
        with closing(frames):
            for index in {0, frames.frame_count - 1}:
                frames.read(index)
        return


def read_labels(path: Path) -> None:
    """Read the first frame of label images."""
    with closing(cut_label_frames(path, EVERYTHING)) as labels:
        labels.read(0)


def zarrs(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change the metadata of OME-Zarr images."""
    paths = [_write_ome_zarr(folder / f"{one}.zarr", one) for one in ("0.4", "0.5")]
    files = [
        [one for one in path.rglob("*") if one.name in ZARR_FILES] for path in paths
    ]
    while True:
        which = chance.randrange(len(paths))
        file = chance.choice(files[which])
        whole = file.read_bytes()
        change_file(file, chance)
        yield paths[which]
        file.write_bytes(whole)


ZARR_FILES = ("zarr.json", ".zarray", ".zattrs", ".zgroup")


def _write_ome_zarr(path: Path, version: str) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=PIXELS, chunks=(1, *SHAPE))
    steps = [
        {"type": "scale", "scale": [1.0, 0.5, 0.5]},
        {"type": "translation", "translation": [0.0, 1.0, 2.0]},
    ]
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [{"path": "0", "coordinateTransformations": steps}]
    multiscale = {"axes": axes, "datasets": datasets}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [{"version": version, **multiscale}]
    return path


def descriptions(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change what TIFFs say of themselves: OME-XML, ImageJ, ScanImage, JSON."""
    path = folder / "a.tif"
    kinds: tuple[dict[str, Any], ...] = (
        {"ome": True, "metadata": {"axes": "TYX", "PhysicalSizeX": 0.5}},
        {"imagej": True, "metadata": {"axes": "TYX", "finterval": 2.0}},
        {"metadata": {"axes": "TYX"}},
    )
    texts = []
    for options in kinds:
        tifffile.imwrite(path, PIXELS, photometric="minisblack", **options)
        with tifffile.TiffFile(path) as file:
            texts.append(file.pages.first.description.encode())
    texts.append(
        b"SI.VERSION_MAJOR = 2020\nSI.hChannels.channelSave = [1;2]\n"
        b"SI.hStackManager.numSlices = 2\nSI.hStackManager.enable = true\n"
        b"SI.hFastZ.enable = 1\n"
    )
    texts.append(b"scanimage.SI4.channelsSave = [1 2]\nframeNumbers = 1\n")
    while True:
        text = changed_text(chance.choice(texts), chance)
        with tifffile.TiffWriter(path) as file:
            for number, page in enumerate(PIXELS):
                described = None if number else text
                file.write(page, description=described, metadata=None, contiguous=False)
        yield path


def tiffs(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change TIFFs outside of their pixels."""
    kinds: dict[str, dict[str, Any]] = {
        "shaped": {},
        "plain": {"metadata": None},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "ome": {"ome": True, "metadata": {"axes": "TYX"}},
        "zlib": {"compression": "zlib", "predictor": True},
        "lzw": {"compression": "lzw"},
        "big": {"bigtiff": True, "tile": (16, 16)},
        "motorola": {"byteorder": ">", "rowsperstrip": 3},
        "scanimage": {"metadata": None, "description": "SI.hChannels.channelSave = 1"},
    }
    path = folder / "a.tif"
    wholes = []
    for options in kinds.values():
        tifffile.imwrite(path, PIXELS, photometric="minisblack", **options)
        with tifffile.TiffFile(path) as file:
            start = file.pages.first.dataoffsets[0]
        content = path.read_bytes()
        headers = [at for at in range(len(content)) if not start <= at < start + 900]
        wholes.append((content, headers))
    while True:
        whole, headers = chance.choice(wholes)
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            one = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            content[chance.choice(headers)] = one
        if chance.random() < 0.1:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        yield path


def images(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change pictures of one frame, and arrays."""
    color = np.stack([PIXELS[0].astype(np.uint8)] * 3, -1)
    wholes = [
        imagecodecs.png_encode(PIXELS[0]),
        imagecodecs.png_encode(color),
        imagecodecs.jpeg_encode(color),
        imagecodecs.bmp_encode(color),
    ]
    npy = folder / "a.npy"
    np.save(npy, PIXELS)
    wholes.append(npy.read_bytes())
    npy.unlink()
    path = folder / "a.png"
    while True:
        whole = chance.choice(wholes)
        path.write_bytes(changed_bytes(whole, chance, chance.choice((0, 150))))
        yield path
