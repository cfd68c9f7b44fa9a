"""One image file as the numbers that are stored in it: the one place that decodes.

Movies, prompts, training images and label images all read their files here. No depth is
lost, no index becomes a colour unless it is asked to, and what a file says of its
pixels (indices, printing colours, lossy compression) comes with them.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.image_headers import (
    ImageFormat,
    ImageHeader,
    check_whole,
    read_header,
    refuse_impossible_size,
)
from napari_sam2.io.movies.files.image_stacks import (
    READ_FAILURES,
    ColoredStack,
    ImageStack,
    look_up,
    one_line,
)
from napari_sam2.io.movies.files.tiff_stacks import TiffStack
from napari_sam2.paths import refuse_pipe

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".stk", ".lsm")
ENOUGH = 2**16
"""Bytes in which the header of a picture ends, mostly."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")

_DECODERS = {
    ImageFormat.PNG: imagecodecs.png_decode,
    ImageFormat.JPEG: imagecodecs.jpeg_decode,
    ImageFormat.BMP: imagecodecs.bmp_decode,
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is stored.

    Attributes
    ----------
    pixels
        ``(Y, X)``, or ``(Y, X, samples)`` in colour or with alpha; of a TIFF whatever
        it holds. One bit a pixel is bool; numbers of 2 and 4 bits are not stretched.
    axes
        Letter of each dimension: Y, X, and S for samples; or what a TIFF says.
    bits
        Bits of each sample in the file.
    palette
        ``(entries, 3)`` colours, or ``(entries, 4)`` with alpha, if ``pixels`` are
        indices into it; else None.
    is_lossy
        True if pixels may differ from what was saved: no file for labels.
    """

    pixels: np.ndarray
    axes: tuple[str, ...]
    bits: int
    palette: np.ndarray | None = None
    is_lossy: bool = False

    def shown(self) -> np.ndarray:
        """Return the pixels as they are looked at.

        Indices become colours, and numbers of 2 and 4 bits are stretched to 8.
        """
        if self.palette is not None:
            return look_up(self.palette, self.pixels)
        if 1 < self.bits < 8 and self.pixels.dtype == np.uint8:
            return self.pixels * np.uint8(255 // (2**self.bits - 1))
        return self.pixels


def read_image(path: Path) -> Image:
    """Read an image file: PNG, JPEG, BMP or TIFF, whatever its name ends in.

    Raises
    ------
    InputError
        If it is missing, broken, of another kind, or larger than memory.
    """
    try:
        if is_tiff(path):
            return _read_tiff(path)
        content = path.read_bytes()
        header = read_header(content, str(path))
        refuse_impossible_size(header, len(content), str(path))
        check_whole(content, header, str(path))
        pixels = _decode(content, header)
    except (*READ_FAILURES, MemoryError) as error:
        raise _unreadable(path, error) from error
    if pixels.shape != header.shape or pixels.dtype != header.dtype:
        raise InputError(
            f"{path} cannot be read as an image: it holds {pixels.shape} of "
            f"{pixels.dtype}, but its header says {header.shape} of {header.dtype}"
        )
    return Image(
        pixels,
        tuple("YXS")[: pixels.ndim],
        header.bits,
        header.palette,
        is_lossy=header.image_format is ImageFormat.JPEG,
    )


def is_tiff(path: Path) -> bool:
    """Tell whether a file is a TIFF, by its first bytes.

    Raises
    ------
    InputError
        If it is no file.
    OSError
        If it cannot be read.
    """
    return _first_bytes(path, 4) in TIFF_MAGIC


def describe_image(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and dtype of an image as it is shown, from its header alone.

    Raises
    ------
    InputError
        If it is missing or broken.
    """
    try:
        header = _header_of(path)
        refuse_impossible_size(header, path.stat().st_size, str(path))
    except READ_FAILURES as error:
        raise _unreadable(path, error) from error
    if header.palette is None:
        return header.shape, header.dtype
    shown = look_up(header.palette, np.zeros((1, 1), np.uint8))
    return header.shape + shown.shape[2:], shown.dtype


def _header_of(path: Path) -> ImageHeader:
    """Read the header from the beginning of the file, or from all of it if need be."""
    start = _first_bytes(path, ENOUGH)
    try:
        return read_header(start, str(path))
    except InputError:
        if len(start) < ENOUGH:
            raise
        return read_header(path.read_bytes(), str(path))


def _first_bytes(path: Path, count: int) -> bytes:
    refuse_pipe(path)
    with path.open("rb") as file:
        return file.read(count)


def open_tiff(path: Path) -> ImageStack:
    """Open a TIFF as it is looked at: indices become the colours of their palette.

    Raises
    ------
    InputError
        See `napari_sam2.io.movies.files.tiff_stacks.TiffStack`.
    """
    stack = TiffStack(path)
    return stack if stack.palette is None else ColoredStack(stack, stack.palette)


def _read_tiff(path: Path) -> Image:
    stack = TiffStack(path)
    try:
        pixels = stack.read((slice(None),) * len(stack.shape))
    finally:
        stack.close()
    return Image(pixels, stack.axes, stack.bits, stack.palette, is_lossy=stack.is_lossy)


def _decode(content: bytes, header: ImageHeader) -> np.ndarray:
    if header.palette is not None:
        content = _with_indices_as_colors(content, header)
    pixels: np.ndarray = _DECODERS[header.image_format](content)
    if header.samples == 1:
        indices = pixels if pixels.ndim == 2 else pixels[..., 0]
        if header.palette is None and header.bits < 8:
            indices = indices // (255 // (2**header.bits - 1))
        return np.ascontiguousarray(indices, header.dtype)
    if header.ink:
        return _from_printing_colors(pixels, is_bright=header.ink == "bright")
    return pixels[..., : header.samples]


def _from_printing_colors(inks: np.ndarray, *, is_bright: bool) -> np.ndarray:
    """Turn cyan, magenta, yellow and black into red, green and blue."""
    light = (inks if is_bright else 255 - inks).astype(np.uint16)
    color: np.ndarray = (light[..., :3] * light[..., 3:] + 127) // 255
    return color.astype(np.uint8)


def _with_indices_as_colors(content: bytes, header: ImageHeader) -> bytes:
    """Write into the palette of a file that index ``i`` is the grey ``i``.

    The decoder gives colours; from such a palette they are the indices themselves.
    """
    if header.palette is None:
        return content
    start, entry = header.palette_at
    ramp = np.zeros((len(header.palette), entry), np.uint8)
    ramp[:, :3] = np.arange(len(ramp), dtype=np.uint8)[:, None]
    end = start + ramp.size
    content = content[:start] + ramp.tobytes() + content[end:]
    if header.image_format is not ImageFormat.PNG:
        return content
    checksum = struct.pack(">I", zlib.crc32(content[start - 4 : end]))
    return content[:end] + checksum + content[end + 4 :]


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be read as an image: {one_line(error)}")
