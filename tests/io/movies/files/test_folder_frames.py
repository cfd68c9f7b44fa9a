import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.file_series import natural_key
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_images import open_label_images


@pytest.fixture
def grey():
    return np.random.default_rng(0).integers(0, 256, (12, 9, 8)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "frames"
    path.mkdir()
    return path


def shown(path, **options):
    frames = open_frames(path, **options)
    return np.stack([frames.read(i) for i in range(frames.frame_count)])


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "TIFF"])
def test_files_are_frames_in_natural_order(folder, grey, suffix):
    for number, frame in enumerate(grey):
        if suffix.lower().startswith("tif"):
            tifffile.imwrite(folder / f"f{number}.{suffix}", frame)
        else:
            Image.fromarray(frame).save(folder / f"f{number}.{suffix}")
    np.testing.assert_array_equal(shown(folder)[..., 1], grey)


def test_hidden_and_other_files_are_passed_over(folder, grey):
    Image.fromarray(grey[0]).save(folder / "a.png")
    (folder / "._a.png").write_bytes(b"left by macOS")
    (folder / "notes.txt").write_text("hello")
    assert len(shown(folder)) == 1


def test_jpegs_are_read(folder, grey):
    Image.fromarray(np.full((16, 16), 77, np.uint8)).save(folder / "a.jpg")
    assert (shown(folder) == 77).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_colors_are_shown_and_alpha_is_dropped(folder, mode):
    color = Image.new("RGB", (4, 3), (204, 102, 51))
    color.convert(mode).save(folder / "a.png")
    grey = color.convert("L").getpixel((0, 0))
    expected = grey if mode == "LA" else (204, 102, 51)
    assert (shown(folder) == expected).all()


def test_sixteen_bit_png_keeps_its_bits(folder):
    pixels = np.arange(1000, 1256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(pixels).save(folder / "a.png")
    frames = open_frames(folder)
    np.testing.assert_array_equal(frames.read_raw(0)[0], pixels)


def test_a_single_picture_is_a_movie_of_one_frame(tmp_path, grey):
    Image.fromarray(grey[0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(shown(tmp_path / "a.png")[0, ..., 0], grey[0])


def test_a_ragged_folder_names_the_frame_and_its_file(folder, grey):
    for number, frame in enumerate(grey):
        Image.fromarray(frame if number != 10 else frame[1:]).save(
            folder / f"f{number}.png"
        )
    with pytest.raises(InputError, match=r"frame 10 \(f10.png\) is \(8, 8\)"):
        open_frames(folder)


def test_grey_among_color_is_ragged(folder, grey):
    Image.fromarray(grey[0]).save(folder / "a.png")
    Image.fromarray(grey[0]).convert("RGB").save(folder / "b.png")
    with pytest.raises(InputError, match=r"frame 1 \(b.png\)"):
        open_frames(folder)


def test_a_file_replaced_while_open_is_noticed(folder, grey):
    for number in range(3):
        Image.fromarray(grey[number]).save(folder / f"{number}.png")
    frames = open_frames(folder)
    Image.fromarray(grey[2, :-1]).save(folder / "2.png")
    frames.read(1)
    with pytest.raises(InputError, match=r"frame 2 \(2.png\)"):
        frames.read(2)


def test_a_truncated_picture_is_named_with_its_frame(folder):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    for number in range(3):
        Image.fromarray(noise).save(folder / f"{number}.png")
    content = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(content[: len(content) // 2])
    frames = open_frames(folder)
    frames.read(0)
    with pytest.raises(InputError, match=r"1\.png cannot be read as an image"):
        frames.read(1)


def test_a_picture_with_a_broken_part_is_named(folder):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    content = bytearray((folder / "0.png").read_bytes())
    content[content.rindex(b"IDAT")] ^= 0xFF
    (folder / "0.png").write_bytes(content)
    with pytest.raises(InputError, match=r"0\.png cannot be read as an image"):
        open_frames(folder).read(0)


@pytest.mark.parametrize("names", [[], ["notes.txt"], [".hidden.png"]])
def test_a_folder_without_images_is_refused(folder, names):
    for name in names:
        (folder / name).write_bytes(b"")
    with pytest.raises(InputError, match="holds no images"):
        open_frames(folder)


def test_of_folders_in_a_folder_one_with_images_is_named(folder, grey):
    for name in ("Assay", "Images"):
        (folder / name).mkdir()
    tifffile.imwrite(folder / "Images" / "r01c01f01p01-ch1sk1fk1fl1.tiff", grey[0])
    for read in (open_frames, open_label_images):
        with pytest.raises(InputError, match="its folder Images holds some"):
            read(folder)


def test_a_stack_inside_a_folder_is_refused(folder, grey):
    tifffile.imwrite(folder / "a.tif", grey)
    with pytest.raises(InputError, match=r"a.tif holds a stack of shape \(12, 9, 8\)"):
        open_frames(folder)


def test_black_and_white_pictures_are_boolean(folder, grey):
    Image.fromarray(grey[0] > 100).save(folder / "a.png")
    with pytest.raises(InputError, match="boolean"):
        open_frames(folder)


def test_a_broken_picture_is_refused(folder):
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a.png cannot be read as an image"):
        open_frames(folder)


@pytest.mark.parametrize(
    "names",
    [
        ["t1", "t2", "t10", "t20"],
        ["1", "2", "10", "a"],
        ["A2", "a10"],
        ["x1z0", "x1z2", "x1z10", "x2z0"],
        ["007", "8"],
    ],
)
def test_natural_order(names):
    assert sorted(set(names), key=natural_key) == names
