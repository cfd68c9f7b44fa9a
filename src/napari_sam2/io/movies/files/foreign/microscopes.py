"""Microscopes' own formats (CZI, ND2, LIF) as image stacks, read by bioio's plugins."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from napari_sam2.errors import InputError
from napari_sam2.io.axis_names import axis_letters
from napari_sam2.io.movies.calibration import AxisScale, axis_scale
from napari_sam2.io.movies.files.image_stacks import ArrayStack, one_line, reading

PLUGINS = {
    ".czi": ("bioio-czi", "bioio_czi"),
    ".nd2": ("bioio-nd2", "bioio_nd2"),
    ".lif": ("bioio-lif", "bioio_lif"),
}
"""By suffix, the package that reads it and its module.

Their licences: bioio-czi GPL 3, bioio-nd2 MIT, bioio-lif BSD 3. None comes with us.
"""

MICROSCOPE_SUFFIXES = tuple(PLUGINS)


def open_microscope_file(path: Path) -> ArrayStack:
    """Open a file of a microscope, lazily; its scenes are stage positions.

    Raises
    ------
    InputError
        If the plugin is missing, or it cannot read the file.
    """
    package, module = PLUGINS[path.suffix.lower()]
    try:
        reader = importlib.import_module(module).Reader
    except ImportError as error:
        raise InputError(
            f"{path} needs a package that is not installed: pip install {package}, or "
            'pip install "napari-sam2[bio]" for all microscopes'
        ) from error
    remedy = f"it may be damaged; {package} read it"
    try:
        with reading(path, remedy):
            image = reader(str(path))
            return _as_stack(image, str(path))
    except _failures_of_bioio() as error:
        raise InputError(
            f"{path} cannot be read: {one_line(error)}; {remedy}"
        ) from error


def _failures_of_bioio() -> tuple[type[Exception], ...]:
    """Return the errors of bioio that are of no kind that Python has."""
    try:
        exceptions = importlib.import_module("bioio_base.exceptions")
    except ImportError:
        return ()
    found = vars(exceptions).values()
    return tuple(
        one for one in found if isinstance(one, type) and issubclass(one, Exception)
    )


def _as_stack(image: Any, name: str) -> ArrayStack:
    scenes = list(image.scenes)
    first = _scene(image, scenes[0])
    scales = _scales(image)
    axes = axis_letters([str(name) for name in first.dims])
    arrays = [first.data]
    for scene in scenes[1:]:
        found = _scene(image, scene)
        if found.dims != first.dims or found.shape != first.shape:
            raise InputError(
                f"{name} holds {len(scenes)} scenes of different shapes; export the "
                "one to track as OME-TIFF or OME-Zarr"
            )
        arrays.append(found.data)
    if len(arrays) == 1:
        return ArrayStack(
            arrays[0], name=name, axes=axes, axes_from="its metadata", scales=scales
        )
    import dask.array

    return ArrayStack(
        dask.array.stack(arrays),
        name=name,
        axes=("P", *axes),
        axes_from="its metadata",
        scales=scales,
    )


def _scene(image: Any, scene: str) -> Any:
    image.set_scene(scene)
    return image.xarray_dask_data


def _scales(image: Any) -> dict[str, AxisScale]:
    sizes = image.physical_pixel_sizes
    found = {
        letter: axis_scale(getattr(sizes, letter, None), "micrometer")
        for letter in "ZYX"
    }
    interval = getattr(image, "time_interval", None)
    seconds = getattr(interval, "total_seconds", lambda: interval)()
    found["T"] = axis_scale(seconds, "second")
    return {letter: scale for letter, scale in found.items() if scale is not None}
