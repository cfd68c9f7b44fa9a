"""What TIFFs of many programs say of themselves counts."""

import json
import warnings

import imageio
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.tiff_stacks import TiffStack
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_images import open_label_images

SHAPE = (8, 9)


def opened(path, **options):
    """Return ``(frames, channels, Y, X)`` as stored, and the axes."""
    frames = open_frames(path, **options)
    try:
        pixels = [frames.read_raw(index) for index in range(frames.frame_count)]
        return np.stack(pixels), frames.layout.axes
    finally:
        frames.close()


def write_by_default(path, pixels, **options):
    """Write a stack as tifffile does if it is told nothing, and napari through it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}])
def test_three_or_four_frames_are_no_colours(tmp_path, numbered, count, dtype, options):
    movie = numbered((count, *SHAPE), dtype)
    path = write_by_default(tmp_path / "a.tif", movie, **options)
    pixels, axes = opened(path)
    assert axes == "TYX"
    np.testing.assert_array_equal(pixels[:, 0], movie)
    with TiffFileClosing(path) as stack:
        assert stack.shape == movie.shape


class TiffFileClosing:
    """A `TiffStack` as a context."""

    def __init__(self, path):
        self.stack = TiffStack(path)

    def __enter__(self):
        return self.stack

    def __exit__(self, *_):
        self.stack.close()


@pytest.mark.parametrize("count", [3, 4])
def test_three_or_four_label_images_are_no_colours(tmp_path, numbered, count):
    labels = numbered((count, *SHAPE))
    path = write_by_default(tmp_path / "a.tif", labels)
    stack = open_label_images(path)
    assert stack.shape == labels.shape
    assert "S" not in stack.axes
    stack.close()


def test_axes_that_are_stated_count(tmp_path, numbered):
    pixels = numbered((4, *SHAPE))
    path = write_by_default(tmp_path / "a.tif", pixels, metadata={"axes": "ZYX"})
    frames = open_frames(path)
    assert (frames.frame_count, frames.layout.frame_axis) == (4, "Z")
    frames.close()


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"axes": "SYX"}},
        {"metadata": None, "software": "Photoshop"},
        {"metadata": {"axes": "SYX"}, "compression": "zlib"},
    ],
)
def test_planar_colours_stay_colours(tmp_path, numbered, options):
    pixels = numbered((3, *SHAPE))
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, pixels, photometric="rgb", planarconfig="separate", **options
    )
    stored, _ = opened(path)
    np.testing.assert_array_equal(stored[0], pixels)


@pytest.mark.parametrize("shape", [(3, *SHAPE), (4, *SHAPE), (5, 3, *SHAPE)])
def test_planes_that_tifffile_was_to_say_nothing_of_are_asked_about(
    tmp_path, numbered, shape
):
    """It writes them as planar colours, as it would write colours."""
    pixels = numbered(shape)
    path = write_by_default(tmp_path / "a.tif", pixels, metadata=None)
    with pytest.raises(InputError, match="z planes, channels or colours"):
        open_frames(path)
    z = {"z": 1} if len(shape) == 4 else {}
    stored, _ = opened(path, axes="TZYX"[-len(shape) :] if z else "TYX", **z)
    np.testing.assert_array_equal(stored[:, 0], pixels[:, 1] if z else pixels)


@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_grey_samples_are_channels(tmp_path, numbered, layout, count):
    shape = (*SHAPE, count) if layout == "contig" else (count, *SHAPE)
    pixels, path = numbered((3, *shape)), tmp_path / "a.tif"
    options = {"photometric": "minisblack", "planarconfig": layout, "metadata": None}
    extra = ["unspecified"] * (count - 1)
    tifffile.imwrite(path, pixels, extrasamples=extra, **options)
    with pytest.raises(InputError, match=f"{count} channels: choose one"):
        open_frames(path)
    stored, _ = opened(path, channels=1)
    axis = -1 if layout == "contig" else 1
    np.testing.assert_array_equal(stored[:, 0], pixels.take(1, axis))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_planes_of_a_longer_stack_are_asked_about(tmp_path, numbered, dtype):
    path = write_by_default(tmp_path / "a.tif", numbered((5, 3, *SHAPE), dtype))
    with pytest.raises(InputError, match="z planes, channels or colours"):
        open_frames(path)
    stored, _ = opened(path, axes="TZYX", z=1)
    np.testing.assert_array_equal(stored[:, 0], numbered((5, 3, *SHAPE), dtype)[:, 1])
    colours, _ = opened(path, axes="TSYX")
    np.testing.assert_array_equal(colours, numbered((5, 3, *SHAPE), dtype))


def test_hyperstacks_that_hold_more_than_their_axes_say_so(tmp_path, numbered):
    path = tmp_path / "a.tif"
    text = "ImageJ=1.54f\nimages=6\nchannels=2\nframes=2\nhyperstack=true\n"
    options = {"photometric": "minisblack", "metadata": None, "description": text}
    tifffile.imwrite(path, numbered((6, *SHAPE)), **options)
    with pytest.raises(InputError, match=r"counts 4 images .* the file holds 6"):
        open_frames(path, channels=0)


@pytest.mark.parametrize("program", ["skimage", "imageio", "pillow", "writer"])
@pytest.mark.parametrize("count", [3, 4])
def test_three_or_four_frames_of_other_programs(tmp_path, numbered, program, count):
    movie, path = numbered((count, *SHAPE), np.uint8), tmp_path / "a.tif"
    if program == "skimage":
        from skimage.io import imsave

        imsave(path, movie, check_contrast=False)
    elif program == "imageio":
        imageio.mimwrite(path, list(movie))
    elif program == "pillow":
        first, *others = (Image.fromarray(frame) for frame in movie)
        first.save(path, save_all=True, append_images=others, compression="tiff_lzw")
    else:
        with tifffile.TiffWriter(path) as writer:
            for frame in movie:
                writer.write(frame)
    stored, axes = opened(path)
    assert axes == "TYX"
    np.testing.assert_array_equal(stored[:, 0], movie)


@pytest.mark.parametrize(
    ("name", "axes", "words"),
    [
        ("a.ome.tif", "RYX", "3 stage positions"),
        ("a.tif", "RYX", "3 stage positions"),
        ("a.ome.tif", "HYX", "'lifetime'"),
        ("a.tif", "AYX", "'angle'"),
        ("a.tif", "IYX", "'sequence'"),
        ("a.tif", "QYX", "'other'"),
    ],
)
def test_stated_axes_that_are_no_time_are_asked_for(
    tmp_path, numbered, name, axes, words
):
    path = tmp_path / name
    options = {"photometric": "minisblack", "metadata": {"axes": axes}}
    tifffile.imwrite(path, numbered((3, *SHAPE)), **options)
    with pytest.raises(InputError, match=words):
        open_frames(path)
    assert opened(path, axes="TYX")[0].shape == (3, 1, *SHAPE)


def test_pages_of_which_nothing_is_said_are_frames_and_that_is_said(tmp_path, numbered):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, numbered((5, *SHAPE)), photometric="minisblack", metadata=None
    )
    frames = open_frames(path)
    assert "5 time points (it does not say" in frames.reading
    frames.close()


OLD = "scanimage.SI5.frameNumber = {n}\nscanimage.SI5.channelsSave = {channels}\n"
OLDER = "state.acq.savingChannel1=1\nstate.acq.savingChannel2={two}\n"


def write_scanimage(path, pages, description):
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pages):
            text = description.replace("{n}", f"{number:04}").ljust(300)
            file.write(page, photometric="minisblack", metadata=None, description=text)
    return path


@pytest.mark.parametrize("tail", [0, 64])
def test_a_whole_scanimage_recording_is_not_called_truncated(tmp_path, numbered, tail):
    movie = numbered((8, *SHAPE), np.int16)
    path = tmp_path / "a.tif"
    write_scanimage(path, movie, OLD.replace("{channels}", "1"))
    path.write_bytes(path.read_bytes() + bytes(tail))
    np.testing.assert_array_equal(opened(path)[0][:, 0], movie)


def test_channels_of_scanimage_are_told_apart_by_its_software_tag(tmp_path, numbered):
    settings = "SI.VERSION_MAJOR = 2020\nSI.hChannels.channelSave = [1;2]\n"
    options = {"photometric": "minisblack", "metadata": None, "software": settings}
    tifffile.imwrite(tmp_path / "a.tif", numbered((8, *SHAPE), np.int16), **options)
    with pytest.raises(InputError, match="2 channels: choose one"):
        open_frames(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "description",
    [OLD.replace("{channels}", "[1;2]"), "scanimage.SI.VERSION_MAJOR = 5\n" + OLDER],
)
def test_channels_of_scanimage_are_told_apart(tmp_path, numbered, description):
    movie = numbered((8, *SHAPE), np.int16)
    path = tmp_path / "a.tif"
    write_scanimage(path, movie, description.replace("{two}", "1"))
    with pytest.raises(InputError, match="2 channels: choose one"):
        open_frames(path)
    np.testing.assert_array_equal(opened(path, channels=1)[0][:, 0], movie[1::2])


def test_planes_of_scanimage_are_told_apart(tmp_path, numbered):
    movie = numbered((8, *SHAPE), np.int16)
    path = tmp_path / "a.tif"
    text = OLD.replace("{channels}", "1") + "scanimage.SI5.stackNumSlices = 4\n"
    write_scanimage(path, movie, text + "scanimage.SI5.fastZEnable = 1\n")
    np.testing.assert_array_equal(opened(path, z=3)[0][:, 0], movie[3::4])


def test_a_scanimage_recording_cut_short_says_so(tmp_path, numbered):
    path = tmp_path / "a.tif"
    description = OLD.replace("{channels}", "[1;2]")
    write_scanimage(path, numbered((7, *SHAPE), np.int16), description)
    with pytest.raises(InputError, match=r"2 channels and 1 planes, .* 7 images"):
        open_frames(path)


NAME = "urn:uuid:00000000-0000-0000-0000-00000000000{}".format
NAME_OF_FILE = NAME(0)
OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">'


def ome_xml(*, times, data="", kind="uint16", size=SHAPE, uuid=NAME_OF_FILE):
    return (
        f"{OME.format(uuid=uuid)}"
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        f'Type="{kind}" SizeX="{size[1]}" SizeY="{size[0]}" SizeC="1" SizeZ="1" '
        f'SizeT="{times}"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f"{data or '<TiffData/>'}</Pixels></Image></OME>"
    )


def write_ome(path, pixels, xml):
    options = {"metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(path, pixels, description=xml, **options)
    return path


def test_ome_xml_that_fits_is_read(tmp_path, numbered):
    movie = numbered((3, *SHAPE))
    path = write_ome(tmp_path / "a.ome.tif", movie, ome_xml(times=3))
    np.testing.assert_array_equal(opened(path)[0][:, 0], movie)


@pytest.mark.parametrize(
    "xml",
    [
        ome_xml(times=5),
        ome_xml(times=2),
        ome_xml(times=3, kind="uint8"),
        ome_xml(times=3, size=(9, 8)),
        ome_xml(times=3, size=(4, 9)),
    ],
)
def test_ome_xml_and_pages_that_disagree_say_so(tmp_path, numbered, xml):
    path = write_ome(tmp_path / "a.ome.tif", numbered((3, *SHAPE)), xml)
    with pytest.raises(InputError, match=r"a\.ome\.tif.* disagree") as raised:
        open_frames(path)
    assert "\n" not in str(raised.value)


def part_of_set(metadata_file, number):
    return (
        f'{OME.format(uuid=NAME(number))}<BinaryOnly MetadataFile="{metadata_file}" '
        f'UUID="{NAME(9)}"/></OME>'
    )


@pytest.fixture
def companion_set(tmp_path, numbered):
    """Two parts of two frames each, and the companion file that describes them."""
    movie = numbered((4, *SHAPE))
    data = "".join(
        f'<TiffData FirstT="{2 * part + page}" IFD="{page}" PlaneCount="1">'
        f'<UUID FileName="part{part}.ome.tif">{NAME(part)}</UUID></TiffData>'
        for part in (0, 1)
        for page in (0, 1)
    )
    for part in (0, 1):
        xml = part_of_set("whole.companion.ome", part)
        write_ome(tmp_path / f"part{part}.ome.tif", movie[2 * part :][:2], xml)
    companion = tmp_path / "whole.companion.ome"
    companion.write_text(ome_xml(times=4, data=data, uuid=NAME(9)))
    return tmp_path, movie


@pytest.mark.parametrize(
    "name", ["whole.companion.ome", "part0.ome.tif", "part1.ome.tif"]
)
def test_a_set_with_a_companion_file_is_read_whole(companion_set, name):
    path, movie = companion_set
    np.testing.assert_array_equal(opened(path / name)[0][:, 0], movie)


@pytest.mark.parametrize("name", ["whole.companion.ome", "master.ome.tif", ""])
def test_a_part_without_its_metadata_is_no_movie(tmp_path, numbered, name):
    path = tmp_path / "part.ome.tif"
    write_ome(path, numbered((3, *SHAPE)), part_of_set(name, 1))
    with pytest.raises(InputError, match=name or "another file"):
        open_frames(path)


def test_a_companion_file_without_its_parts_says_which_is_missing(companion_set):
    path, _ = companion_set
    (path / "part0.ome.tif").unlink()
    with pytest.raises(InputError, match=r"part0\.ome\.tif"):
        open_frames(path / "whole.companion.ome")


def test_a_set_that_lacks_a_later_part_says_so_when_it_is_opened(companion_set):
    path, _ = companion_set
    (path / "part1.ome.tif").unlink()
    for name in ("whole.companion.ome", "part0.ome.tif"):
        with pytest.raises(InputError, match=r"lie in part1\.ome\.tif.*put all parts"):
            open_frames(path / name)


@pytest.mark.parametrize("photometric", ["separated", "cielab"])
def test_colours_that_are_not_rgb_are_refused(tmp_path, photometric):
    path = tmp_path / "a.tif"
    samples = 4 if photometric == "separated" else 3
    pixels = np.zeros((*SHAPE, samples), np.uint8)
    tifffile.imwrite(path, pixels, photometric=photometric, planarconfig="contig")
    with pytest.raises(InputError, match=photometric.upper()):
        open_frames(path)


def ome_by_hand(path, xml, count=4):
    with tifffile.TiffWriter(path) as file:
        for number in range(count):
            file.write(
                np.full(SHAPE, number, np.uint16),
                description=None if number else xml,
                metadata=None,
                contiguous=False,
            )
    return path


@pytest.mark.parametrize("cut", [10, 40, 200])
def test_damaged_ome_xml_is_no_xml_that_says_nothing(tmp_path, cut):
    """Two planes of two times would be four times."""
    pixels = np.zeros((2, 2, *SHAPE), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, ome=True, metadata={"axes": "TZYX"})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        xml = file.pages.first.description
    path = ome_by_hand(tmp_path / "b.tif", xml)
    assert opened(path, z=0)[1] == "TZYX"
    path = ome_by_hand(tmp_path / "c.tif", xml[:-cut])
    with pytest.raises(InputError, match="OME-XML is damaged"):
        open_frames(path)


def test_a_hyperstack_with_fewer_pages_than_it_counts_says_so(tmp_path):
    text = "ImageJ=1.53t\nimages=30\nframes=30\n"
    path = ome_by_hand(tmp_path / "a.tif", text, count=28)
    with pytest.raises(InputError, match="counts 30 images, and the file holds 28"):
        open_frames(path)
    # Of two channels, frames were taken out one by one.
    text = "ImageJ=1.53t\nimages=6\nchannels=2\nframes=4\nhyperstack=true\n"
    pixels = np.zeros((6, 20, 24), np.uint16)
    options = {"metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "b.tif", pixels, description=text, **options)
    with pytest.raises(InputError, match="should hold 8 images"):
        open_frames(tmp_path / "b.tif")


@pytest.mark.parametrize("shape", [(7, 8, 9), (6, 9, 8), (6, 16, 9)])
def test_a_description_of_another_image_says_so(tmp_path, shape):
    """As programs leave it that cut, crop or split what tifffile wrote."""
    text = json.dumps({"shape": shape})
    pixels = np.zeros((6, 8, 9), np.uint16)
    options = {"metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "a.tif", pixels, description=text, **options)
    with pytest.raises(InputError, match="does not fit the 6 images"):
        open_frames(tmp_path / "a.tif")
