"""Recordings of programs whose files no library writes: made byte by byte."""

import json
import struct

import numpy as np
import pytest
import tifffile

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

SHAPE = (8, 9)
LONG, RATIONAL = 4, 5


def tiff(pixels, *, header=b"", tags=()):
    """Return a TIFF of one page, and where its ``(…, Y, X)`` uint16 pixels begin.

    Parameters
    ----------
    pixels
        Of which the page tells only the first plane.
    header
        What stands between the first bytes and the page.
    tags
        ``(code, type, count, content)`` of further tags.
    """
    height, width = pixels.shape[-2:]
    plane = height * width * 2
    known = [(256, width), (257, height), (258, 16), (259, 1), (262, 1)]
    known += [(273, 0), (277, 1), (278, height), (279, plane)]
    entries = [(code, LONG, 1, struct.pack("<I", value)) for code, value in known]
    entries = sorted([*entries, *tags])
    start = 8 + len(header)
    behind = start + 2 + 12 * len(entries) + 4
    directory, content = struct.pack("<H", len(entries)), b""
    pixels_at = behind + sum(len(one[3]) for one in entries if len(one[3]) > 4)
    for code, kind, count, value in entries:
        if code == 273:
            value = struct.pack("<I", pixels_at)
        if len(value) > 4:
            place = struct.pack("<I", behind + len(content))
            content, value = content + value, place
        directory += struct.pack("<HHI", code, kind, count) + value
    first = b"II*\0" + struct.pack("<I", start)
    return first + header + directory + bytes(4) + content + pixels.tobytes(), pixels_at


def write_stk(path, pixels, *, distance=0, milliseconds=100, counted=None):
    """Write a stack of MetaMorph, which counts all its planes unless told otherwise."""
    count = counted or len(pixels)
    planes = b"".join(
        struct.pack("<6I", distance, 1, 2460000, at * milliseconds, 2460000, 0)
        for at in range(count)
    )
    uic1 = (33628, LONG, 1, struct.pack("<2I", 0, 0))
    uic2 = (33629, RATIONAL, count, planes)
    path.write_bytes(tiff(pixels, tags=(uic1, uic2))[0])
    return path


def frames_of(path, **options):
    frames = open_frames(path, **options)
    try:
        read = [frames.read_raw(index)[0] for index in range(frames.frame_count)]
        return np.stack(read), frames.layout.axes
    finally:
        frames.close()


def test_planes_of_metamorph_are_planes(tmp_path, numbered):
    pixels = numbered((5, *SHAPE))
    stored, axes = frames_of(write_stk(tmp_path / "a.stk", pixels, distance=2))
    assert axes == "ZYX"
    np.testing.assert_array_equal(stored, pixels)


@pytest.mark.parametrize("milliseconds", [0, 100])
def test_times_of_metamorph_are_times(tmp_path, numbered, milliseconds):
    pixels = numbered((5, *SHAPE))
    path = write_stk(tmp_path / "a.stk", pixels, milliseconds=milliseconds)
    stored, axes = frames_of(path)
    assert axes == "TYX"
    np.testing.assert_array_equal(stored, pixels)


def test_stacks_of_metamorph_are_time_points_in_a_folder(tmp_path, numbered):
    pixels = numbered((3, 2, 4, *SHAPE))
    for time in range(3):
        for channel, dye in enumerate(("GFP", "DAPI")):
            name = f"exp_w{channel + 1}{dye}_t{time + 1}.stk"
            write_stk(tmp_path / name, pixels[time, channel], distance=1)
    with pytest.raises(InputError, match="4 z planes in each frame"):
        open_frames(tmp_path, channels=0)
    stored, axes = frames_of(tmp_path, channels=1, z=3)
    assert axes == "TCZYX"
    np.testing.assert_array_equal(stored, pixels[:, 1, 3])


def test_planes_that_metamorph_may_not_have_counted_are_told(tmp_path, numbered):
    pixels = numbered((5, *SHAPE))
    path = write_stk(tmp_path / "a.stk", pixels, distance=2, counted=3)
    frames = open_frames(path)
    assert frames.frame_count == 3
    assert "counts 3 planes where the file has room for 2 more" in frames.reading
    frames.close()
    write_stk(path, pixels, distance=0, milliseconds=0, counted=4)
    frames = open_frames(path)
    assert "room for 1 more" in frames.reading, "where pages are times by default"
    frames.close()


def write_ndtiff(folder, pixels, names):
    """Write a recording of Micro-Manager: ``(P, T, C, Y, X)`` in one file."""
    summary = b'{"a": 1}'
    header = struct.pack("<5I", 483729, 3, 3, 2355492, len(summary)) + summary
    said = b'{"m": 1}\0'
    content, start = tiff(pixels, header=header, tags=((51123, 2, len(said), said),))
    (folder / "NDTiffStack.tif").write_bytes(content)
    index = b""
    for number, (position, time, channel) in enumerate(np.ndindex(pixels.shape[:3])):
        axes = {"position": position, "time": time, "channel": names[channel]}
        said, file = json.dumps(axes).encode(), b"NDTiffStack.tif"
        index += struct.pack("<I", len(said)) + said
        index += struct.pack("<I", len(file)) + file
        at = start + number * pixels[0, 0, 0].nbytes
        index += struct.pack("<IiiiiIii", at, SHAPE[1], SHAPE[0], 1, 0, 0, 0, 0)
    (folder / "NDTiff.index").write_bytes(index)


def test_positions_and_channels_of_ndtiff_are_chosen(tmp_path, numbered):
    pixels = numbered((2, 3, 2, *SHAPE))
    write_ndtiff(tmp_path, pixels, ("DAPI", "GFP"))
    for path in (tmp_path, tmp_path / "NDTiffStack.tif"):
        with pytest.raises(InputError, match="2 stage positions: choose one"):
            open_frames(path)
        with pytest.raises(InputError, match="2 channels: choose one"):
            open_frames(path, position=1)
        stored, _ = frames_of(path, position=1, channels=1)
        np.testing.assert_array_equal(stored, pixels[1, :, 1])


def test_a_damaged_index_of_ndtiff_is_told(tmp_path, numbered):
    """What was left out of it would be left out of the movie, without a word."""
    write_ndtiff(tmp_path, numbered((1, 5, 1, *SHAPE)), ("GFP",))
    index = tmp_path / "NDTiff.index"
    whole = index.read_bytes()
    entry = len(whole) // 5
    for cut in (1, 20, entry - 2):
        index.write_bytes(whole[:-cut])
        with pytest.raises(InputError, match=r"NDTiff\.index ends inside .* number 4"):
            open_frames(tmp_path)
    index.write_bytes(whole[: 3 * entry])
    with pytest.raises(InputError, match="holds more images than NDTiff"):
        open_frames(tmp_path)
    index.write_bytes(whole)
    (tmp_path / "NDTiffStack_1.tif").write_bytes(tiff(numbered(SHAPE))[0])
    with pytest.raises(InputError, match=r"nothing of NDTiffStack_1\.tif"):
        open_frames(tmp_path)


OME_XML = """<?xml version="1.0" encoding="UTF-8"?><OME \
xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels \
ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="9" SizeY="8" SizeC="2" \
SizeZ="3" SizeT="4"><Channel ID="Channel:0:0"/><Channel ID="Channel:0:1"/>\
<TiffData/></Pixels></Image></OME>"""


def write_mmstack(path, pixels, *, planned=None, first_time=0, xml=b""):
    """Write a stack of Micro-Manager: ``(T, Z, C, Y, X)``, an index before its pages.

    Parameters
    ----------
    planned
        How many time points the settings announce; those that are there by default.
    first_time
        Of the file, where an acquisition goes on in a second one.
    xml
        What its first page has as description.
    """
    summary = {"MicroManagerVersion": "2.0", "Prefix": "run", "Positions": 1}
    summary |= {"Frames": planned or pixels.shape[0], "Slices": pixels.shape[1]}
    summary |= {"Channels": pixels.shape[2], "SlicesFirst": False, "TimeFirst": False}
    text = json.dumps(summary).encode()
    places = list(np.ndindex(pixels.shape[:3]))
    index_at = 40 + len(text)
    start = index_at + 8 + 20 * len(places)
    said = b'{"a": 1}\0'
    plane = pixels[0, 0, 0].nbytes
    # A page: 13 tags, its pixels right behind them, then what two tags point to.
    size = 162 + plane + 8 + len(said)
    index, pages = b"", b""
    more = 12 if xml else 0
    for number, (time, depth, channel) in enumerate(places):
        at = start + number * size + (more if number else 0)
        index += struct.pack("<5I", channel, depth, first_time + time, 0, at)
        wider = 0 if number else more
        behind = at + 162 + wider + plane
        tags = [(256, LONG, 1, SHAPE[1]), (257, LONG, 1, SHAPE[0]), (258, LONG, 1, 16)]
        tags += [
            (259, LONG, 1, 1),
            (262, LONG, 1, 1),
            (273, LONG, 1, at + 162 + wider),
            (277, LONG, 1, 1),
            (278, LONG, 1, SHAPE[0]),
            (279, LONG, 1, plane),
        ]
        tags += [(282, RATIONAL, 1, behind), (283, RATIONAL, 1, behind)]
        tags += [(296, LONG, 1, 3), (51123, 2, len(said), behind + 8)]
        if wider:
            end = start + more + len(places) * size
            tags.append((270, 2, len(xml), end))
        pages += struct.pack("<H", len(tags))
        pages += b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
        is_last = number == len(places) - 1
        pages += struct.pack("<I", 0 if is_last else at + size + wider)
        pages += pixels[time, depth, channel].tobytes()
        pages += struct.pack("<2I", 1, 1) + said
    head = b"II*\0" + struct.pack("<3I", start, 54773648, index_at) + bytes(16)
    head += struct.pack("<2I", 2355492, len(text)) + text
    head += struct.pack("<2I", 3453623, len(places)) + index
    path.write_bytes(head + pages + xml)
    return path


@pytest.mark.parametrize("xml", ["", OME_XML])
def test_planes_and_channels_of_micro_manager_are_chosen(tmp_path, numbered, xml):
    pixels = numbered((4, 3, 2, *SHAPE))
    path = tmp_path / "run_MMStack.ome.tif"
    write_mmstack(path, pixels, xml=xml.encode())
    with pytest.raises(InputError, match="2 channels: choose one"):
        open_frames(path, z=0)
    with pytest.raises(InputError, match="3 z planes in each frame"):
        open_frames(path, channels=0)
    stored, _ = frames_of(path, z=2, channels=1)
    np.testing.assert_array_equal(stored, pixels[:, 2, 1])


def test_an_acquisition_of_micro_manager_that_was_stopped_is_read(tmp_path, numbered):
    pixels = numbered((4, 1, 1, *SHAPE))
    path = write_mmstack(tmp_path / "run_MMStack.ome.tif", pixels, planned=100)
    stored, _ = frames_of(path)
    np.testing.assert_array_equal(stored, pixels[:, 0, 0])


def test_files_of_micro_manager_are_one_movie(tmp_path, numbered):
    pixels = numbered((6, 1, 2, *SHAPE))
    for number, name in enumerate(("run_MMStack.ome.tif", "run_MMStack_1.ome.tif")):
        part = pixels[3 * number : 3 * number + 3]
        write_mmstack(tmp_path / name, part, planned=6, first_time=3 * number)
    for name in ("run_MMStack.ome.tif", "run_MMStack_1.ome.tif"):
        stored, _ = frames_of(tmp_path / name, channels=1)
        np.testing.assert_array_equal(stored, pixels[:, 0, 1])
    (tmp_path / "run_MMStack.ome.tif").unlink()
    with pytest.raises(InputError, match="begins with time 3"):
        open_frames(tmp_path / "run_MMStack_1.ome.tif", channels=1)


@pytest.mark.parametrize("missing", [(2, 0, 1), (3, 1, 0)])
def test_pages_that_micro_manager_lost_are_no_black_frames(tmp_path, numbered, missing):
    pixels = numbered((4, 2, 2, *SHAPE))
    path = write_mmstack(tmp_path / "run_MMStack.ome.tif", pixels)
    content = bytearray(path.read_bytes())
    number = int(np.ravel_multi_index(missing, pixels.shape[:3]))
    (text,) = struct.unpack_from("<I", content, 36)
    entry = 40 + text + 8 + 20 * number
    struct.pack_into("<I", content, entry + 16, 2**31)  # beyond the end
    path.write_bytes(content)
    with pytest.raises(InputError, match="1 of its 16 pages"):
        frames_of(path, z=missing[1], channels=missing[2])


def test_an_index_of_micro_manager_that_ends_too_early_is_told(tmp_path, numbered):
    pixels = numbered((4, 1, 2, *SHAPE))
    path = write_mmstack(tmp_path / "run_MMStack.ome.tif", pixels)
    content = bytearray(path.read_bytes())
    (text,) = struct.unpack_from("<I", content, 36)
    struct.pack_into("<I", content, 40 + text + 4, 6)  # of 8
    path.write_bytes(content)
    with pytest.raises(InputError, match="lists 6 images, but one more begins"):
        frames_of(path, channels=1)


# What scans of a confocal microscope are called in its files.
STACK, TIMES, TIMES_OF_STACKS = 0, 3, 6


def write_lsm(path, pixels, *, scan, counted=None):
    """Write a file of Zeiss' LSM: ``(T, Z, C, Y, X)``, a thumbnail behind each page."""
    times, depth, channels, height, width = pixels.shape
    info = np.zeros(1, tifffile.TIFF.CZ_LSMINFO)
    facts = {"MagicNumber": 0x0400494C, "StructureSize": info.dtype.itemsize}
    facts |= {"DimensionX": width, "DimensionY": height, "DimensionZ": depth}
    facts |= {"DimensionChannels": channels, "DimensionTime": counted or times}
    facts |= {"ScanType": scan}
    facts |= {"VoxelSizeX": 5e-7, "VoxelSizeY": 5e-7, "VoxelSizeZ": 2e-6}
    for name, value in facts.items():
        info[name] = value
    tag = (34412, 1, info.nbytes, info.tobytes(), True)
    with tifffile.TiffWriter(path) as file:
        for number, (time, z) in enumerate(np.ndindex(times, depth)):
            page = pixels[time, z]
            file.write(
                page if channels > 1 else page[0],
                photometric="minisblack",
                planarconfig="separate" if channels > 1 else None,
                metadata=None,
                contiguous=False,
                extratags=[] if number else [tag],
            )
            small = np.zeros((2, 2, 3), np.uint8)
            file.write(
                small, photometric="rgb", subfiletype=1, metadata=None, contiguous=False
            )
    return path


def test_times_of_lsm_are_frames_and_its_thumbnails_are_none(tmp_path, numbered):
    pixels = numbered((5, 1, 1, *SHAPE))
    stored, axes = frames_of(write_lsm(tmp_path / "a.lsm", pixels, scan=TIMES))
    assert axes == "TYX"
    np.testing.assert_array_equal(stored, pixels[:, 0, 0])


def test_a_stack_of_lsm_is_planes(tmp_path, numbered):
    pixels = numbered((1, 4, 1, *SHAPE))
    stored, axes = frames_of(write_lsm(tmp_path / "a.lsm", pixels, scan=STACK))
    assert axes == "ZYX"
    np.testing.assert_array_equal(stored, pixels[0, :, 0])


def test_planes_and_channels_of_lsm_are_chosen(tmp_path, numbered):
    pixels = numbered((3, 4, 3, *SHAPE))
    path = write_lsm(tmp_path / "a.lsm", pixels, scan=TIMES_OF_STACKS)
    with pytest.raises(InputError, match="3 channels: choose one"):
        open_frames(path, z=1)
    with pytest.raises(InputError, match="4 z planes in each frame"):
        open_frames(path, channels=0)
    stored, _ = frames_of(path, z=3, channels=1)
    np.testing.assert_array_equal(stored, pixels[:, 3, 1])


@pytest.mark.parametrize("counted", [1, 3, 4, 6, 50])
def test_an_lsm_that_counts_other_times_than_it_holds_is_told(
    tmp_path, numbered, counted
):
    pixels = numbered((5, 1, 1, *SHAPE))
    path = write_lsm(tmp_path / "a.lsm", pixels, scan=TIMES, counted=counted)
    with pytest.raises(InputError, match=f"counts {counted} images.* holds 5") as told:
        frames_of(path)
    assert "\n" not in str(told.value)


def test_an_lsm_without_thumbnails_is_no_half_movie(tmp_path, numbered):
    """Every second page is taken for one."""
    path = write_lsm(tmp_path / "a.lsm", numbered((6, 1, 1, *SHAPE)), scan=TIMES)
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[34412]
        said = (34412, 1, tag.count, path.read_bytes()[tag.valueoffset :][: tag.count])
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(numbered((6, *SHAPE))):
            file.write(
                page,
                photometric="minisblack",
                metadata=None,
                contiguous=False,
                extratags=[] if number else [(*said, True)],
            )
    with pytest.raises(InputError, match="counts 6 images"):
        frames_of(path)


def write_fluoview(path, pixels, *, axes, counted=None):
    """Write a file of Olympus' FluoView: pages, and a header that counts them."""
    header = np.zeros(1, tifffile.TIFF.MM_HEADER)
    lengths = dict(zip(axes, pixels.shape, strict=True))
    if counted:
        lengths[axes[0]] = counted
    names = {"X": "X", "Y": "Y", "Z": "Z", "T": "Time", "C": "Ch"}
    for place, letter in enumerate(reversed(axes)):
        header["Dimensions"][0, place]["Name"] = names[letter].encode()
        header["Dimensions"][0, place]["Size"] = lengths[letter]
    tags = [(34361, 1, header.nbytes, header.tobytes(), True)]
    tags += [(34362, 12, 8, tuple(float(one) for one in range(8)), True)]
    pages = pixels.reshape(-1, *pixels.shape[-2:])
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pages):
            file.write(
                page,
                photometric="minisblack",
                metadata=None,
                contiguous=False,
                extratags=[] if number else tags,
            )
    return path


def test_axes_of_fluoview_are_read(tmp_path, numbered):
    pixels = numbered((4, 2, *SHAPE))
    path = write_fluoview(tmp_path / "a.tif", pixels, axes="TCYX")
    stored, axes = frames_of(path, channels=1)
    assert axes == "TCYX"
    np.testing.assert_array_equal(stored, pixels[:, 1])


@pytest.mark.parametrize("counted", [2, 3, 9])
def test_a_header_of_fluoview_that_counts_other_times_is_told(
    tmp_path, numbered, counted
):
    pixels = numbered((4, 2, *SHAPE))
    path = write_fluoview(tmp_path / "a.tif", pixels, axes="TCYX", counted=counted)
    with pytest.raises(InputError, match=f"FluoView.* counts {2 * counted} images"):
        frames_of(path, channels=1)
