import logging
import os

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

FLAVOURS = {
    "tifffile": {},
    "plain": {"metadata": None},
    "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
    "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    "big": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "tiled": {"tile": (16, 16)},
}


def raw_frames(path, **options):
    """Read all frames of one channel as they are stored."""
    source = open_frames(path, **options)
    try:
        return np.stack([source.read_raw(i)[0] for i in range(source.frame_count)])
    finally:
        source.close()


@pytest.fixture
def save(tmp_path):
    def save(pixels, name="cells.tif", **options):
        path = tmp_path / name
        tifffile.imwrite(path, pixels, **options)
        return path

    return save


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_gives_the_same_frames(save, movie, flavour, compression):
    path = save(movie, compression=compression, **FLAVOURS[flavour])
    np.testing.assert_array_equal(raw_frames(path), movie)


@pytest.mark.parametrize(
    ("flavour", "options"),
    [
        ("hyper.tif", {"imagej": True}),
        ("hyper.tif", {"imagej": True, "compression": "zlib"}),
        ("hyper.ome.tif", {}),
        ("hyper.ome.tif", {"compression": "zlib", "tile": (16, 16)}),
    ],
)
def test_time_depth_and_channels_are_told_apart(save, numbered, flavour, options):
    pixels = numbered((4, 3, 2, 12, 10))
    path = save(pixels, flavour, metadata={"axes": "TZCYX"}, **options)
    with pytest.raises(InputError, match=r"3 z planes .* choose one, 0 to 2"):
        open_frames(path)
    np.testing.assert_array_equal(
        raw_frames(path, z=2, channels=1), pixels[:, 2, 1], strict=True
    )
    np.testing.assert_array_equal(
        raw_frames(path, t=3, channels=0), pixels[3, :, 0], strict=True
    )
    both = open_frames(path, z=1, channels=(1, 0))
    np.testing.assert_array_equal(both.read_raw(3), pixels[3, 1, ::-1])
    both.close()


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_is_shown_as_it_is(save, planar):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 3)).astype(np.uint8)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 1)
    path = save(stored, photometric="rgb", planarconfig=planar)
    # Nothing but a person tells planes of colour from channels and depths.
    source = open_frames(path, axes="TSYX" if planar == "separate" else None)
    np.testing.assert_array_equal(source.read(2), pixels[2])
    source.close()


def test_a_single_page_is_a_movie_of_one_frame(save, movie):
    source = open_frames(save(movie[0]))
    assert source.frame_count == 1
    assert source.read(0).shape == (12, 10, 3)
    source.close()


@pytest.mark.parametrize("metadata", [None, {}])
def test_frames_written_one_by_one_are_one_movie(tmp_path, movie, metadata):
    path = tmp_path / "cells.tif"
    with tifffile.TiffWriter(path) as file:
        for number, frame in enumerate(movie):
            compression = "zlib" if number % 2 else None
            file.write(frame, metadata=metadata, compression=compression)
    np.testing.assert_array_equal(raw_frames(path), movie)


def test_of_a_pyramid_the_finest_level_is_read(tmp_path, movie):
    path = tmp_path / "cells.ome.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(movie, subifds=1, metadata={"axes": "TYX"})
        file.write(movie[:, ::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(raw_frames(path), movie)


@pytest.mark.parametrize("subifds", [0, 1])
def test_of_a_pyramid_of_another_program_too(tmp_path, movie, subifds):
    path = tmp_path / "cells.tif"
    with tifffile.TiffWriter(path) as file:
        options = {"photometric": "minisblack"}
        file.write(movie, subifds=subifds, metadata={"axes": "TYX"}, **options)
        file.write(movie[:, ::2, ::2], subfiletype=1, **options)
    np.testing.assert_array_equal(raw_frames(path), movie)


def test_axes_can_be_renamed_by_hand(save, movie):
    path = save(movie, metadata={"axes": "ZYX"})
    assert open_and_close(path).calibration.frame_axis == "z"
    renamed = open_and_close(path, axes="tyx")
    assert renamed.calibration.frame_axis == "t"
    assert renamed.reading.endswith("(by the axes that were given)")


def open_and_close(path, **options):
    source = open_frames(path, **options)
    source.close()
    return source


@pytest.mark.parametrize("count", [4, 20])
def test_a_page_of_another_shape_is_named(tmp_path, numbered, count):
    path = tmp_path / "cells.tif"
    frames = list(numbered((count, 12, 10)))
    frames[3] = frames[3][:-1]
    with tifffile.TiffWriter(path) as file:
        for frame in frames:
            file.write(frame, metadata=None)
    with pytest.raises(
        InputError, match=r"page 3 is \(11, 10\) .* page 0 is \(12, 10\)"
    ):
        open_frames(path)


def test_several_ome_images_are_positions_to_choose_from(tmp_path, movie):
    path = tmp_path / "positions.ome.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(movie, metadata={"axes": "TYX"})
        file.write(movie[::-1], metadata={"axes": "TYX"})
    with pytest.raises(InputError, match=r"2 stage positions: choose one, 0 to 1"):
        open_frames(path)
    np.testing.assert_array_equal(raw_frames(path, position=0), movie)
    np.testing.assert_array_equal(raw_frames(path, position=1), movie[::-1])


def test_ome_images_of_different_shapes_are_refused(tmp_path, movie):
    path = tmp_path / "positions.ome.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(movie, metadata={"axes": "TYX"})
        file.write(movie[:, 1:], metadata={"axes": "TYX"})
    with pytest.raises(InputError, match="2 OME images"):
        open_frames(path)


def ome_xml_of_part(number, parts):
    """Describe a movie whose every frame lies in a file of its own."""
    name = "urn:uuid:00000000-0000-0000-0000-00000000000{}".format
    data = "".join(
        f'<TiffData FirstT="{t}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="part{t}.ome.tif">{name(t)}</UUID></TiffData>'
        for t in range(parts)
    )
    return (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="{name(number)}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint16" SizeX="10" SizeY="12" SizeC="1" '
        f'SizeZ="1" SizeT="{parts}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f"{data}</Pixels></Image></OME>"
    )


@pytest.mark.parametrize("missing", [1, 2])
def test_ome_movies_in_many_files_are_read_and_a_missing_one_is_named(
    save, tmp_path, movie, missing
):
    for number, frame in enumerate(movie[:3]):
        description = ome_xml_of_part(number, 3)
        save(frame, f"part{number}.ome.tif", description=description, metadata=None)
    path = tmp_path / "part0.ome.tif"
    np.testing.assert_array_equal(raw_frames(path), movie[:3])
    path.with_name(f"part{missing}.ome.tif").unlink()
    with pytest.raises(InputError, match=rf"lie in part{missing}.ome.tif, which"):
        open_frames(path, contrast_limits=(0, 1000))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.6])
def test_a_truncated_file_is_refused_in_one_line(
    save, flavour, compression, share, caplog
):
    caplog.set_level(logging.INFO)
    noise = np.random.default_rng(0).integers(0, 2**16, (7, 48, 40)).astype(np.uint16)
    path = save(noise, compression=compression, **FLAVOURS[flavour])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError) as raised:
        open_frames(path)
    message = str(raised.value)
    assert str(path) in message
    assert "truncated" in message or "empty" in message
    assert "\n" not in message
    assert not caplog.records


def test_a_page_whose_pixels_are_damaged_is_named_when_it_is_read(save, movie):
    path = save(movie, compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[4].dataoffsets[0]
        size = file.pages[4].databytecounts[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = bytes(size)
    path.write_bytes(content)
    source = open_frames(path, contrast_limits=(0, 1000))
    source.read(3)
    with pytest.raises(InputError, match=r"cells.tif: frame 4 cannot be read"):
        source.read(4)
    source.close()


def test_a_page_that_points_beyond_the_end_is_named_when_it_is_read(tmp_path, movie):
    path = tmp_path / "cells.tif"
    with tifffile.TiffWriter(path) as file:
        for frame in movie:
            file.write(frame, metadata=None, rowsperstrip=4)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[2].tags["StripOffsets"].overwrite([10**6] * 3)
    source = open_frames(path, contrast_limits=(0, 1000))
    with pytest.raises(InputError, match=r"frame 2 cannot be read: the file ends"):
        source.read(2)
    source.close()


def test_a_file_that_shrinks_while_open_is_noticed(save, movie):
    path = save(np.tile(movie, (1, 10, 10)))
    source = open_frames(path, contrast_limits=(0, 1000))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match=r"frame 6 cannot be read: the file ends"):
        source.read(6)
    source.close()


def test_a_compression_that_cannot_be_undone_is_told_at_once(save, movie):
    path = save(movie)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(9)  # JBIG: nobody reads it
    with pytest.raises(InputError, match=r"as JBIG_BW, .* pip install imagecodecs"):
        open_frames(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"", "cells.tif"), (b"no image at all", "cells.tif"), (b"hello", "cells.txt")],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_frames(path)


@pytest.mark.parametrize(
    ("pixels", "word"),
    [
        (np.zeros((2, 8, 8), bool), "boolean"),
        (np.zeros((2, 8, 8), np.complex64), "complex"),
        (np.full((2, 8, 8), np.nan, np.float32), "frame 0 holds NaN"),
    ],
)
def test_pixels_that_are_no_intensities_are_refused(save, pixels, word):
    with pytest.raises(InputError, match=word):
        open_frames(save(pixels))


def test_the_file_is_closed_when_an_option_does_not_fit(save, movie):
    path = save(movie)
    with pytest.raises(InputError):
        open_frames(path, channels=4)
    path.rename(path.with_name("moved.tif"))  # fails on Windows while open
