"""Files of microscopes read by bioio's own plugins, which the extra ``bio`` installs.

CZI is written by Zeiss' library; LIF, which no library writes, byte by byte. Of ND2 see
`test_microscopes`: nothing writes it.
"""

import struct
from contextlib import closing

import numpy as np
import pytest

from napari_sam2.errors import InputError
from napari_sam2.io.movies.frame_sources import open_frames

SHAPE = (3, 2, 4, 12, 10)
PIXELS = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)
"""``(T, C, Z, Y, X)``."""


def write_czi(path):
    czi = pytest.importorskip("pylibCZIrw.czi")
    pytest.importorskip("bioio_czi")
    with czi.create_czi(str(path)) as file:
        for time, channel, depth in np.ndindex(SHAPE[:3]):
            plane = {"T": time, "C": channel, "Z": depth}
            file.write(PIXELS[time, channel, depth][..., None], plane=plane)
        file.write_metadata(scale_x=2.5e-7, scale_y=5e-7, scale_z=2e-6)
    return path


def lif_image(number, *, times):
    """Return the XML of one image, whose pixels lie as ``(T, Z, C, Y, X)``."""
    _, channels, depth, height, width = SHAPE
    plane = height * width * 2
    sizes = {1: (width, 2, 2.5e-7), 2: (height, width * 2, 5e-7)}
    sizes |= {
        3: (depth, plane * channels, 2e-6),
        4: (times, plane * channels * depth, 30),
    }
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{count}" Origin="0" '
        f'Length="{step * (count - 1)}" Unit="{"s" if axis == 4 else "m"}" '
        f'BitInc="0" BytesInc="{stride}"/>'
        for axis, (count, stride, step) in sizes.items()
    )
    described = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" '
        f'NameOfMeasuredQuantity="" Min="0" Max="65535" Unit="" LUTName="Green" '
        f'IsLUTInverted="0" BytesInc="{channel * plane}" BitInc="0"/>'
        for channel in range(channels)
    )
    return (
        f'<Element Name="Series{number}" Visibility="1" UniqueID="u{number}"><Data>'
        f'<Image TextDescription=""><ImageDescription><Channels>{described}</Channels>'
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{plane * channels * depth * times}" '
        f'MemoryBlockID="MemBlock_{number}"/><Children/></Element>'
    )


def write_lif(path, *, times=(3,)):
    """Write an image for each number of time points."""
    pytest.importorskip("bioio_lif")
    images = "".join(lif_image(at, times=count) for at, count in enumerate(times))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="a.lif" UniqueID="f">'
        f"<Children>{images}</Children></Element></LMSDataContainerHeader>"
    )
    content = struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml))
    content += xml.encode("utf-16-le")
    for number, count in enumerate(times):
        name = f"MemBlock_{number}"
        data = (PIXELS[:count].swapaxes(1, 2) + number).tobytes()
        content += struct.pack(
            "<IIBQBI", 0x70, 2 * len(name) + 14, 0x2A, len(data), 0x2A, len(name)
        )
        content += name.encode("utf-16-le") + data
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("suffix", "write"), [("czi", write_czi), ("lif", write_lif)])
def test_planes_and_channels_of_real_files_are_chosen(tmp_path, suffix, write):
    path = write(tmp_path / f"a.{suffix}")
    with pytest.raises(InputError, match="4 z planes"):
        open_frames(path, channels=0)
    with pytest.raises(InputError, match="2 channels"):
        open_frames(path, z=0)
    with closing(open_frames(path, z=3, channels=1)) as frames:
        stored = [frames.read_raw(index)[0] for index in range(frames.frame_count)]
        assert frames.calibration.scale[1:] == pytest.approx((0.5, 0.25))
    np.testing.assert_array_equal(stored, PIXELS[:, 1, 3])


def test_images_of_a_real_lif_are_positions(tmp_path):
    path = write_lif(tmp_path / "a.lif", times=(3, 3))
    with closing(open_frames(path, position=1, z=2, channels=1)) as frames:
        np.testing.assert_array_equal(frames.read_raw(0)[0], PIXELS[0, 1, 2] + 1)
    path = write_lif(tmp_path / "b.lif", times=(3, 1))
    with pytest.raises(InputError, match="2 scenes of different shapes"):
        open_frames(path)


@pytest.mark.parametrize(("suffix", "write"), [("czi", write_czi), ("lif", write_lif)])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_real_files_that_end_too_early_are_told_in_one_line(
    tmp_path, suffix, write, share
):
    path = write(tmp_path / f"a.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf"a\.{suffix}"):
        open_frames(path, z=3, channels=1).read_raw(2)
