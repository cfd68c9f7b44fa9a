"""Every kind of colour × depth × alpha × palette, against known pixels."""

import io
import struct
import zlib
from contextlib import closing

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.images import describe_image, read_image
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_frames import EVERYTHING, cut_label_frames

RANDOM = np.random.default_rng(0)
LEVELS = {bits: (2**bits) for bits in (1, 2, 4, 8, 12, 16)}
PALETTE = RANDOM.integers(0, 256, (16, 3)).astype(np.uint8)
PALETTE[:2] = [[0, 0, 0], [200, 10, 10]]


def random_pixels(bits, samples, shape=(6, 9)):
    full = shape if samples == 1 else (*shape, samples)
    dtype = np.uint8 if bits <= 8 else np.uint16
    pixels = RANDOM.integers(0, LEVELS[bits], full).astype(dtype)
    pixels.flat[0], pixels.flat[-1] = 0, LEVELS[bits] - 1
    return pixels


def write_png(path, pixels, *, bits, kind, palette=None, alpha=None):
    """Write a PNG bit by bit, so that no library has a say in it."""

    def chunk(name, data):
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    height, width = pixels.shape[:2]
    rows = []
    for row in pixels.reshape(height, -1):
        if bits == 16:
            rows.append(b"\0" + row.astype(">u2").tobytes())
            continue
        spread = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -bits:]
        rows.append(b"\0" + np.packbits(spread.ravel()).tobytes())
    content = b"\x89PNG\r\n\x1a\n"
    content += chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    )
    if palette is not None:
        content += chunk(b"PLTE", palette.tobytes())
    if alpha is not None:
        content += chunk(b"tRNS", alpha.tobytes())
    content += chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    path.write_bytes(content)
    return path


def check(path, stored, shown):
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, stored, strict=True)
    np.testing.assert_array_equal(image.shown(), shown, strict=True)
    if path.suffix != ".tif":
        assert describe_image(path) == (shown.shape, shown.dtype)
    assert image.axes == tuple("YXS")[: stored.ndim]
    return image


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_png_of_every_depth(tmp_path, bits):
    pixels = random_pixels(bits, 1)
    path = write_png(tmp_path / "a.png", pixels, bits=bits, kind=0)
    if bits == 1:
        check(path, pixels.astype(bool), pixels.astype(bool))
    else:
        factor = {2: 85, 4: 17}.get(bits, 1)
        check(path, pixels, (pixels * factor).astype(pixels.dtype))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("kind", "samples"), [(4, 2), (2, 3), (6, 4)])
def test_png_in_colour_and_with_alpha_keeps_its_depth(tmp_path, bits, kind, samples):
    pixels = random_pixels(bits, samples)
    check(write_png(tmp_path / "a.png", pixels, bits=bits, kind=kind), pixels, pixels)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_indexed_png_gives_indices_and_colours(tmp_path, bits, has_alpha):
    colors = PALETTE[: min(LEVELS[bits], 16)]
    indices = RANDOM.integers(0, len(colors), (6, 9)).astype(np.uint8)
    alpha = np.arange(len(colors), dtype=np.uint8)[:2] if has_alpha else None
    path = tmp_path / "a.png"
    write_png(path, indices, bits=bits, kind=3, palette=colors, alpha=alpha)
    if has_alpha:
        opacity = np.full((len(colors), 1), 255, np.uint8)
        opacity[: len(alpha), 0] = alpha
        colors = np.hstack([colors, opacity])
    image = check(path, indices, colors[indices])
    np.testing.assert_array_equal(image.palette, colors)


def test_a_transparent_colour_adds_no_sample(tmp_path):
    pixels = random_pixels(8, 1)
    path = tmp_path / "a.png"
    key = np.frombuffer(struct.pack(">H", 7), np.uint8)
    write_png(path, pixels, bits=8, kind=0, alpha=key)
    check(path, pixels, pixels)


def test_interlaced_png(tmp_path):
    pixels = random_pixels(8, 3, (33, 31))
    path = tmp_path / "a.png"
    PillowImage.fromarray(pixels).save(path, interlace=1)
    check(path, pixels, pixels)


@pytest.mark.parametrize("samples", [1, 3])
def test_bmp_of_8_bits(tmp_path, samples):
    pixels = random_pixels(8, samples, (5, 7))
    path = tmp_path / "a.bmp"
    PillowImage.fromarray(pixels).save(path)
    shown = read_image(path).shown()
    grey = shown if samples == 3 else shown[..., 0]
    np.testing.assert_array_equal(grey, pixels, strict=True)
    assert describe_image(path) == (shown.shape, shown.dtype)


def write_bmp(path, rows, *, depth, palette=(), masks=(), height=None):
    """Write a BMP whose rows, the lowest first, are bytes."""
    rows = [row + bytes(-len(row) % 4) for row in rows]
    colors = b"".join(bytes((*color[::-1], 0)) for color in palette)
    fields = b"".join(struct.pack("<I", mask) for mask in masks)
    size = 56 if len(masks) == 4 else 40
    extra = fields if size == 40 else b""
    start = 14 + size + len(colors) + len(extra)
    width = 2
    header = struct.pack(
        "<IiiHHIIiiII",
        *(size, width, height or len(rows), 1, depth, 3 if masks else 0),
        *(sum(map(len, rows)), 0, 0, len(palette), 0),
    )
    header += fields if size == 56 else b""
    content = struct.pack("<2sIHHI", b"BM", start + sum(map(len, rows)), 0, 0, start)
    path.write_bytes(content + header + extra + colors + b"".join(rows))
    return path


def test_indexed_bmp_of_4_bits(tmp_path):
    path = tmp_path / "a.bmp"
    write_bmp(path, [b"\x12", b"\x30"], depth=4, palette=PALETTE)
    indices = np.array([[3, 0], [1, 2]], np.uint8)
    check(path, indices, PALETTE[indices])


def test_a_bmp_whose_rows_go_down(tmp_path):
    path = tmp_path / "a.bmp"
    write_bmp(path, [b"\x12", b"\x30"], depth=4, palette=PALETTE, height=-2)
    np.testing.assert_array_equal(read_image(path).pixels, [[1, 2], [3, 0]])


def test_bmp_of_5_6_5_bits(tmp_path):
    path = tmp_path / "a.bmp"
    row = struct.pack("<HH", 31 << 11, 63 << 5 | 31)
    write_bmp(path, [row], depth=16, masks=(31 << 11, 63 << 5, 31))
    pixels = np.array([[[255, 0, 0], [0, 255, 255]]], np.uint8)
    check(path, pixels, pixels)


def test_bmp_with_alpha(tmp_path):
    path = tmp_path / "a.bmp"
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    write_bmp(path, [bytes([30, 20, 10, 200, 3, 2, 1, 0])], depth=32, masks=masks)
    pixels = np.array([[[10, 20, 30, 200], [1, 2, 3, 0]]], np.uint8)
    check(path, pixels, pixels)


def test_black_and_white_bmp_is_boolean(tmp_path):
    pixels = random_pixels(1, 1, (5, 7)).astype(bool)
    path = tmp_path / "a.bmp"
    PillowImage.fromarray(pixels).save(path)
    check(path, pixels, pixels)


@pytest.mark.parametrize("bits", [8])
def test_indexed_bmp_gives_indices_and_colours(tmp_path, bits):
    indices = RANDOM.integers(0, 16, (5, 7)).astype(np.uint8)
    picture = PillowImage.fromarray(indices).convert("P")
    picture.putpalette(PALETTE.tobytes())
    path = tmp_path / "a.bmp"
    picture.save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, indices, strict=True)
    np.testing.assert_array_equal(image.shown(), PALETTE[indices], strict=True)


@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_is_lossy(tmp_path, samples):
    pixels = np.full((16, 24, 3), (200, 60, 30), np.uint8)
    pixels = pixels if samples == 3 else pixels[..., 0]
    path = tmp_path / "a.jpg"
    PillowImage.fromarray(pixels).save(path, quality=95)
    image = read_image(path)
    assert image.is_lossy
    assert image.pixels.shape == pixels.shape == describe_image(path)[0]
    assert np.abs(image.pixels.astype(int) - pixels).max() <= 3


def test_printing_colours_of_a_jpeg_become_rgb(tmp_path):
    pixels = np.full((16, 24, 4), (255, 0, 0, 55), np.uint8)
    path = tmp_path / "a.jpg"
    picture = PillowImage.fromarray(pixels, "CMYK")
    picture.save(path, quality=95)
    with PillowImage.open(path) as opened:
        expected = np.asarray(opened.convert("RGB"), int)
    assert np.abs(read_image(path).pixels.astype(int) - expected).max() <= 3


def test_jpeg_of_12_bits_keeps_them(tmp_path):
    pixels = np.full((16, 16), 3000, np.uint16)
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.jpeg_encode(pixels, bitspersample=12, level=100))
    image = read_image(path)
    assert image.bits == 12
    assert np.abs(image.pixels.astype(int) - 3000).max() <= 4


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("samples", [1, 3, 4])
def test_tiff_of_every_type(tmp_path, dtype, samples, compression):
    pixels = random_pixels(8, samples).astype(dtype)
    path = tmp_path / "a.tif"
    options = {} if samples == 1 else {"photometric": "rgb"}
    tifffile.imwrite(path, pixels, compression=compression, **options)
    check(path, pixels, pixels)


def test_indexed_tiff_gives_indices_and_colours(tmp_path):
    colors = RANDOM.integers(0, 256, (256, 3)).astype(np.uint8)
    indices = random_pixels(8, 1)
    path = tmp_path / "a.tif"
    colormap = np.ascontiguousarray(colors.T).astype(np.uint16) * 257
    tifffile.imwrite(path, indices, photometric="palette", colormap=colormap)
    check(path, indices, colors[indices])


def test_palettes_of_imagej_show_intensities(tmp_path):
    pixels = random_pixels(8, 1)
    path = tmp_path / "a.tif"
    colormap = RANDOM.integers(0, 2**16, (3, 256)).astype(np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, colormap=colormap)
    check(path, pixels, pixels)


def colormap_of(colors):
    return np.ascontiguousarray(colors.T).astype(np.uint16) * 257


def test_palettes_are_colours_in_movies_and_folders_too(tmp_path):
    """As in training images: an index is no intensity."""
    colors = RANDOM.integers(0, 256, (256, 3)).astype(np.uint8)
    indices = np.stack([random_pixels(8, 1) for _ in range(3)])
    options = {"photometric": "palette", "colormap": colormap_of(colors)}
    (tmp_path / "folder").mkdir()
    for number, image in enumerate(indices):
        tifffile.imwrite(tmp_path / f"folder/t{number}.tif", image, **options)
    tifffile.imwrite(tmp_path / "a.tif", indices, metadata=None, **options)
    for path in (tmp_path / "a.tif", tmp_path / "folder"):
        with closing(open_frames(path)) as frames:
            assert frames.layout.axes == "TYXS"
            shown = np.moveaxis(frames.read_raw(2), 0, -1)
        np.testing.assert_array_equal(shown, colors[indices[2]], strict=True)
    with closing(cut_label_frames(tmp_path / "a.tif", EVERYTHING)) as labels:
        np.testing.assert_array_equal(labels.read(1), indices[1])


@pytest.mark.parametrize("tint", [(1, 1, 1), (0, 1, 0), (-1, -1, -1)])
def test_palettes_that_get_brighter_show_intensities(tmp_path, tint):
    """Green cells of any program, with some colours of overlays at the end."""
    pixels = random_pixels(8, 1)
    ramp = np.outer(np.arange(256), tint).astype(np.uint8)
    ramp[-8:] = PALETTE[:8]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="palette", colormap=colormap_of(ramp))
    check(path, pixels, pixels)
    with closing(open_frames(path)) as frames:
        np.testing.assert_array_equal(frames.read_raw(0)[0], pixels)


def test_a_mask_of_one_bit_in_a_tiff_is_whole(tmp_path):
    """Eight pixels lie in a byte: the file is smaller than its pixels."""
    mask = random_pixels(1, 1, (40, 50)).astype(bool)
    path = tmp_path / "a.tif"
    PillowImage.fromarray(mask).save(path)
    assert path.stat().st_size < mask.size
    check(path, mask, mask)
    with closing(cut_label_frames(path, EVERYTHING)) as labels:
        np.testing.assert_array_equal(labels.read(0), mask)


def test_luma_and_chroma_are_no_red_green_and_blue(tmp_path):
    path = tmp_path / "a.tif"
    color = PillowImage.fromarray(random_pixels(8, 3, (32, 32)))
    color.convert("YCbCr").save(path)
    with pytest.raises(InputError, match="is in YCBCR colours; save it as grey or RGB"):
        read_image(path)
    smooth = np.full((32, 32, 3), (200, 20, 90), np.uint8)
    tifffile.imwrite(path, smooth, photometric="rgb", compression="jpeg")
    assert np.abs(read_image(path).pixels.astype(int) - smooth).max() <= 4


def test_a_jpeg_inside_a_tiff_is_lossy(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, random_pixels(8, 1, (32, 32)), compression="jpeg")
    assert read_image(path).is_lossy


def test_the_kind_is_told_by_the_first_bytes_not_by_the_name(tmp_path):
    pixels = random_pixels(8, 1)
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    image = read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert not image.is_lossy


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"\xff\xd8\xff\xe0\0\0" * 9,
        b"II*\0",
        b"II*\0\x08\0\0\0\xff\xff" + bytes(40),
    ],
)
def test_broken_images_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png") as raised:
        read_image(path)
    assert "\n" not in str(raised.value)


def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.zeros((4, 4), np.uint8), bits=8, kind=0)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 10**6, 10**6)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    for read in (read_image, describe_image):
        with pytest.raises(InputError, match=r"claims 1000000 × 1000000 pixels"):
            read(path)


@pytest.mark.parametrize("missing", ["nothing.png", "folder", "x" * 300, "\udce9.png"])
def test_what_cannot_be_opened_is_an_error_in_one_line(tmp_path, missing):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / missing)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.png"])
def test_content_counts_and_not_the_name(tmp_path, name):
    pixels = np.arange(72, dtype=np.uint16).reshape(8, 9) * 7
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, path in enumerate((tmp_path / name, folder / name)):
        content = imagecodecs.png_encode(pixels)
        if name == "a.png":
            tifffile.imwrite(path, pixels)
        else:
            path.write_bytes(content)
        frames = open_frames(path.parent if number else path)
        np.testing.assert_array_equal(frames.read_raw(0)[0], pixels)
        frames.close()


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("has_thumbnail", [False, True])
def test_a_jpeg_that_was_cut_off_is_refused(tmp_path, options, has_thumbnail):
    """Its decoder fills with grey what is missing."""
    file, whole = tmp_path / "a.jpg", io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    PillowImage.fromarray(pixels).save(whole, "jpeg", **options)
    content = whole.getvalue()
    if has_thumbnail:
        inside = b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content
        content = content[:2] + inside + content[2:]
    file.write_bytes(content)
    assert read_image(file).pixels.shape == (40, 50)
    for share in (0.75, 0.99):
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match="ends too early; copy it again"):
            read_image(file)


def test_an_animation_is_no_image(tmp_path):
    frames = [PillowImage.fromarray(np.full((8, 9), one, np.uint8)) for one in range(3)]
    path = tmp_path / "a.png"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="an animation"):
        read_image(path)
