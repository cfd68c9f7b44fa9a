"""Movies as frames that the model can see: the door to every kind of file.

`open_frames` turns a path or an array into a `FrameSource`: it finds out the axes,
asks for what is ambiguous, freezes the intensity mapping, and then reads one frame at
a time. No more than a few frames are ever in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, TypedDict, Unpack

import numpy as np
from pydantic import ValidationError

from napari_sam2.errors import InputError
from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.axes import FrameLayout, FrameSelection, lay_out_frames
from napari_sam2.io.movies.calibration import calibration_of
from napari_sam2.io.movies.files.image_headers import refuse_beyond_memory
from napari_sam2.io.movies.files.image_stacks import ImageStack, reading
from napari_sam2.io.movies.files.opening import open_source
from napari_sam2.io.movies.frame_blocks import DEFAULT_CACHE_BYTES, FrameBlocks
from napari_sam2.io.movies.intensity import (
    DEFAULT_PERCENTILES,
    IntensityMapping,
    check_dtype,
    check_finite,
    measure_mapping,
)


class StackFrames:
    """Frames of an image stack, as the model sees them; made by `open_frames`.

    Fulfils `napari_sam2.interfaces.FrameSource`. Reading is safe from several threads.

    Parameters
    ----------
    stack
        The image; closed together with this source.
    layout
        How frames lie in it.
    calibration
        Physical scale, for the labels.
    cache_bytes
        Most memory for frames of chunks that span many.
    """

    def __init__(
        self,
        stack: ImageStack,
        layout: FrameLayout,
        calibration: Calibration,
        *,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self.layout = layout
        self.calibration = calibration
        self.mapping = IntensityMapping()
        self.dtype = stack.dtype
        self.axes_from = stack.axes_from
        self._stack = stack
        self._blocks = FrameBlocks(stack, layout, max_bytes=cache_bytes)
        self._is_open = True

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.layout.frame_count

    @property
    def frame_shape(self) -> tuple[int, int]:
        """``(Y, X)`` in pixels."""
        return self.layout.frame_shape

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able description: path, axes, selection, intensity mapping."""
        return {
            # Names of files may hold bytes that are no characters; JSON may not.
            "source": self._stack.name.encode("utf-8", "backslashreplace").decode(),
            "dtype": str(self.dtype),
            "shape": list(self.layout.shape),
            "axes": self.layout.axes,
            "frame_axis": self.layout.frame_axis,
            "fixed": dict(self.layout.fixed),
            "channels": list(self.layout.channels),
            "intensity": self.mapping.model_dump(mode="json"),
        }

    @property
    def reading(self) -> str:
        """In one line, what was decided: what frames are, what is fixed, and why."""
        by = self.axes_from
        why = f"by {by}" if by else "it does not say what its axes are"
        return f"{self._stack.name}: {self.layout.summary} ({why})"

    def read(self, frame_index: int) -> np.ndarray:
        """Return one frame as the model sees it: ``(Y, X, 3)`` uint8 RGB."""
        return self.read_both(frame_index)[0]

    def read_both(self, frame_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what `read` and `read_raw` return, reading the frame once."""
        planes = self.read_raw(frame_index)
        return self.mapping.apply(planes), planes

    def read_raw(self, frame_index: int) -> np.ndarray:
        """Return the chosen channels as they are stored: ``(channels, Y, X)``.

        Raises
        ------
        IndexError
            If there is no such frame.
        ValueError
            If the source is closed.
        InputError
            If the file is broken at this frame, or the frame holds NaN or infinity.
        """
        if not self._is_open:
            raise ValueError(f"{self._stack.name} is closed")
        if not 0 <= frame_index < self.frame_count:
            raise IndexError(
                f"frame {frame_index} of {self._stack.name}, which has "
                f"{self.frame_count}"
            )
        with reading(f"{self._stack.name}: frame {frame_index}"):
            planes = self._blocks.read(frame_index)
        check_finite(planes, self._stack.name, frame_index)
        return planes

    def close(self) -> None:
        """Release the file; reading afterwards is an error."""
        self._is_open = False
        self._blocks.clear()
        self._stack.close()


class FrameOptions(TypedDict, total=False):
    """What `open_frames` may be told; every one may be left out.

    Attributes
    ----------
    axes
        One letter of ``TZCPYXS`` for each dimension; by default what the file says.
        Arrays that say nothing: 2D is one image, 3D is ``TYX`` (``YXS`` if the last
        axis has 3 or 4 and the others more), 4D is ``TYXS`` alike; others must be
        named. Frames run along T if it is longer than 1, else along Z.
    files
        Of a folder, a pattern such as ``"*_w1_*"``: the files of that name are frames,
        in natural order. By default their names say what they are.
    t
        Stay at this time point and let frames run along Z.
    z
        The plane to stay on where frames run along T and there are several planes.
    position
        The stage position, where there are several.
    channels
        The channel to show as grey, or up to three to show as red, green, blue.
        Must be given if there are several; RGB samples are shown as they are.
    contrast_limits
        ``(low, high)``, or one such pair for each channel shown: what is black and
        what is white. By default uint8 stays as it is unless it has few grey levels,
        and everything else is stretched between its ``percentiles``.
    percentiles
        ``(low, high)`` in 0…100, of up to 20 evenly spaced frames; 0.1 and 99.9 by
        default. If given, uint8 is stretched too.
    gamma
        Exponent of the stretched intensity, of all or of each channel.
    invert
        True to show dark as bright.
    mapping
        The frozen mapping of an earlier run, instead of the four options above.
    calibration
        Physical scale, if it is known better than the source does (a viewer's layer).
    name
        What errors and provenance call an array.
    cache_bytes
        Most memory for frames of chunks that span many.
    """

    axes: str | None
    files: str | None
    t: int | None
    z: int | None
    position: int | None
    channels: int | Sequence[int] | None
    contrast_limits: Sequence[float] | Sequence[Sequence[float]] | None
    percentiles: Sequence[float] | None
    gamma: float | Sequence[float]
    invert: bool
    mapping: IntensityMapping | None
    calibration: Calibration | None
    name: str
    cache_bytes: int


def open_frames(source: Any, **options: Unpack[FrameOptions]) -> StackFrames:
    """Open a movie or a z-stack as frames that the model can see.

    Parameters
    ----------
    source
        Path of a TIFF (plain, OME, ImageJ), a zarr array, an OME-Zarr image or one of
        its levels, a folder of images, or a single image; or a numpy, dask, zarr or
        xarray array, or a list of these (a pyramid, the finest first).
    **options
        See `FrameOptions`.

    Raises
    ------
    InputError
        If the source cannot be read, or an option does not fit it.
    TypeError
        If there is no such option.
    """
    unknown = options.keys() - FrameOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"open_frames has no option {', '.join(sorted(unknown))}")
    stack = open_source(
        source, name=options.get("name", "array"), files=options.get("files")
    )
    try:
        with reading(stack.name):
            frames = _cut_frames(stack, options)
        frames.mapping = options.get("mapping") or _make_mapping(frames, options)
        _check_mapping(frames.mapping, frames)
    except BaseException:
        stack.close()
        raise
    return frames


def _cut_frames(stack: ImageStack, options: FrameOptions) -> StackFrames:
    check_dtype(stack.dtype, stack.name)
    channels = options.get("channels")
    if channels is not None:
        channels = (channels,) if isinstance(channels, int) else tuple(channels)
    layout = lay_out_frames(
        stack.shape,
        known_axes=stack.axes,
        selection=FrameSelection(
            axes=options.get("axes"),
            t=options.get("t"),
            z=options.get("z"),
            channels=channels,
            position=options.get("position"),
        ),
        name=stack.name,
    )
    refuse_beyond_memory(_working_set(stack, layout), stack.name)
    frames = StackFrames(
        stack,
        layout,
        options.get("calibration") or calibration_of(stack.scales, layout.frame_axis),
        cache_bytes=options.get("cache_bytes", DEFAULT_CACHE_BYTES),
    )
    if options.get("axes") is not None:
        frames.axes_from = "the axes that were given"
    return frames


def _working_set(stack: ImageStack, layout: FrameLayout) -> int:
    """Return the bytes that are held to read one frame: whole pieces of storage."""
    lengths = []
    for axis, letter in enumerate(layout.axes):
        starts, length = stack.chunk_starts(axis), layout.shape[axis]
        piece = starts[1] - starts[0] if len(starts) > 1 else length
        is_read_whole = letter in ("Y", "X", layout.channel_axis)
        lengths.append(length if is_read_whole else min(piece, length))
    return prod(lengths) * stack.dtype.itemsize


def _make_mapping(frames: StackFrames, options: FrameOptions) -> IntensityMapping:
    """Build the mapping that the options ask for, measuring frames if need be."""
    contrast_limits = options.get("contrast_limits")
    percentiles = options.get("percentiles")
    if contrast_limits is not None and percentiles is not None:
        raise InputError(
            "give either contrast limits or percentiles, not both",
            settings=("contrast_limits", "percentiles"),
        )
    channels = len(frames.layout.channels)
    fields: dict[str, object] = {
        "gamma": _gamma_per_channel(options.get("gamma", 1.0), channels),
        "invert": options.get("invert", False),
    }
    if contrast_limits is not None:
        fields["limits"] = _limits_per_channel(contrast_limits, channels)
    else:
        measured = measure_mapping(
            frames.read_raw,
            frames.frame_count,
            percentiles=_check_percentiles(percentiles or DEFAULT_PERCENTILES),
            joint=frames.layout.is_color,
            only_few_levels=frames.dtype == np.uint8 and percentiles is None,
        )
        fields = measured.model_dump() | fields
    try:
        return IntensityMapping.model_validate(fields)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"the intensity options do not fit: {reason}") from error


def _gamma_per_channel(gamma: float | Sequence[float], channels: int) -> list[float]:
    gammas: list[float] = np.atleast_1d(np.asarray(gamma, float)).tolist()
    if len(gammas) not in (1, channels):
        raise InputError(
            f"gamma: give one value, or one for each of the {channels} channels",
            settings=("gamma",),
        )
    return gammas


def _limits_per_channel(
    limits: Sequence[float] | Sequence[Sequence[float]], channels: int
) -> list[list[float]]:
    pairs = np.asarray(limits, dtype=float)
    if pairs.shape not in ((2,), (1, 2), (channels, 2)):
        raise InputError(
            f"contrast limits: give a low and a high value, or such a pair for each "
            f"of the {channels} channels",
            settings=("contrast_limits",),
        )
    pairs_of_channels: list[list[float]] = np.broadcast_to(
        pairs, (channels, 2)
    ).tolist()
    return pairs_of_channels


def _check_percentiles(percentiles: Sequence[float]) -> tuple[float, float]:
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 100:
        listed = ", ".join(str(value) for value in percentiles)
        raise InputError(
            f"percentiles {listed}: give two numbers, 0 ≤ low < high ≤ 100",
            settings=("percentiles",),
        )
    return float(percentiles[0]), float(percentiles[1])


def _check_mapping(mapping: IntensityMapping, frames: StackFrames) -> None:
    """Refuse a mapping that was frozen for another kind of movie."""
    channels = len(frames.layout.channels)
    if mapping.limits is None and frames.dtype != np.uint8:
        raise InputError(
            f"the intensity mapping is for uint8 images, but these are {frames.dtype}"
        )
    if mapping.limits is not None and len(mapping.limits) != channels:
        raise InputError(
            f"the intensity mapping is for {len(mapping.limits)} channels, but "
            f"{channels} are shown"
        )
