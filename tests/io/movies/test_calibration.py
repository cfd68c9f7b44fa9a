import numpy as np
import pytest
import tifffile

from napari_sam2.interfaces import Calibration
from napari_sam2.io.movies.calibration import (
    scales_from_ome_xml,
    scales_from_resolution,
    unit_name,
)
from napari_sam2.io.movies.frame_sources import open_frames

UM = "micrometer"


def calibration_of(source, **options):
    frames = open_frames(source, **options)
    frames.close()
    return frames.calibration


@pytest.fixture
def save(tmp_path):
    def save(name, axes="TYX", **options):
        shape = {"TYX": (5, 8, 9), "ZYX": (5, 8, 9), "TZYX": (5, 2, 8, 9)}[axes]
        metadata = options.pop("metadata", {})
        if metadata is not None:
            metadata = {"axes": axes, **metadata}
        pixels = np.zeros(shape, np.uint16)
        tifffile.imwrite(tmp_path / name, pixels, metadata=metadata, **options)
        return tmp_path / name

    return save


def test_ome_tiff_tells_pixel_size_and_interval(save):
    path = save(
        "cells.ome.tif",
        metadata={
            "PhysicalSizeX": 0.65,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 650,
            "PhysicalSizeYUnit": "nm",
            "TimeIncrement": 2.5,
            "TimeIncrementUnit": "min",
        },
    )
    assert calibration_of(path) == Calibration(
        scale=(2.5, 650.0, 0.65), units=("minute", "nanometer", UM), frame_axis="t"
    )


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagej_tells_pixel_size_and_interval(save, unit):
    path = save(
        "cells.tif",
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.25),
        metadata={"finterval": 30.0, "unit": unit},
    )
    assert calibration_of(path) == Calibration(
        scale=(30.0, 0.25, 0.5), units=("second", UM, UM), frame_axis="t"
    )


def test_along_depth_imagej_spacing_is_the_step(save):
    path = save(
        "cells.tif",
        axes="TZYX",
        imagej=True,
        resolution=(2, 2),
        metadata={"spacing": 1.5, "unit": "um", "finterval": 9.0},
    )
    assert calibration_of(path, t=1).scale == (1.5, 0.5, 0.5)
    assert calibration_of(path, t=1).frame_axis == "z"
    assert calibration_of(path, z=0).scale == (9.0, 0.5, 0.5)


def test_a_plain_resolution_tag_in_centimeters_is_a_pixel_size(save):
    path = save("cells.tif", resolution=(20_000, 10_000), resolutionunit="CENTIMETER")
    assert calibration_of(path) == Calibration(
        scale=(1.0, 1.0, 0.5), units=(None, UM, UM)
    )


@pytest.mark.parametrize("dots_per_inch", [72, 300, 1200])
def test_a_printing_resolution_is_no_pixel_size(dots_per_inch):
    assert scales_from_resolution((dots_per_inch,) * 2, "inch") == {}


def test_resolution_without_a_unit_says_nothing(save):
    assert calibration_of(save("cells.tif", resolution=(5, 5))) == Calibration()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_tells_scale_units_and_translation(write_ome_zarr, movie, version):
    path = write_ome_zarr(
        movie, version=version, scale=[60.0, 0.2, 0.3], translation=[0.0, 5.0, -7.0]
    )
    expected = Calibration(
        scale=(60.0, 0.2, 0.3),
        translation=(0.0, 5.0, -7.0),
        units=("second", UM, UM),
        frame_axis="t",
    )
    assert calibration_of(path) == expected
    assert calibration_of(path / "0") == expected
    assert calibration_of(path / "1").scale == (1.0, 2.0, 2.0)


def test_the_viewers_calibration_wins(movie):
    mine = Calibration(scale=(2.0, 3.0, 4.0))
    assert calibration_of(movie, calibration=mine) == mine


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("µm", UM),
        ("\N{GREEK SMALL LETTER MU}m", UM),
        (" Microns ", UM),
        ("nm", "nanometer"),
        ("s", "second"),
        ("pixel", None),
        ("furlong", None),
        ("", None),
        (None, None),
    ],
)
def test_units_get_their_udunits_names(written, name):
    assert unit_name(written) == name


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        'PhysicalSizeX="?"',
        'PhysicalSizeX="0"',
        'PhysicalSizeX="-1"',
        'PhysicalSizeX="NaN"',
    ],
)
def test_senseless_sizes_are_unknown_sizes(attributes):
    assert (
        scales_from_ome_xml(f"<OME><Image><Pixels {attributes}/></Image></OME>") == {}
    )
    assert scales_from_ome_xml("<OME><Image") == {}
    assert scales_from_ome_xml("<OME><Plate/></OME>") == {}
