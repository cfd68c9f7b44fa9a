"""What files of a folder are to each other, as many programs name them."""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_sam2.errors import InputError
from napari_sam2.io.movies.files.file_series import arrange_files
from napari_sam2.io.movies.frame_sources import open_frames


def named(pattern, **ranges):
    """Return names of all combinations, the last one fastest."""
    names = [pattern]
    for key, values in ranges.items():
        names = [
            name.replace(f"<{key}>", str(value)) for name in names for value in values
        ]
    return names


def padded(count, width=3):
    return [f"{number:0{width}}" for number in range(count)]


SERIES = {
    "counter": (named("f<n>.png", n=range(12)), "T", (12,)),
    "tif and tiff": (["a1.tif", "a2.TIFF", "a3.tif"], "T", (3,)),
    "every second number": (named("t<t>.tif", t=[2, 4, 6]), "T", (3,)),
    "Incucyte with dates": (
        [
            f"Phase_A1_1_2020y03m{day}d_{hour}h{minute}m.tif"
            for day in ("01", "02")
            for hour in ("00", "12")
            for minute in ("00", "30")
        ],
        "T",
        (8,),
    ),
    "hours and minutes behind a t": (
        named("x_t<h>h<m>m.tif", h=["00", "01"], m=["00", "30"]),
        "T",
        (4,),
    ),
    "z planes": (named("stack_z<z>.tif", z=padded(5)), "Z", (5,)),
    "MetaMorph": (
        [
            f"exp_w{w}{dye}_s{s}_t{t}.TIF"
            for w, dye in ((1, "GFP"), (2, "DAPI"))
            for s in (1, 2)
            for t in (1, 2, 3)
        ],
        "PTC",
        (2, 3, 2),
    ),
    "Fiji": (
        named("x_t<t>_z<z>_c<c>.tif", t=padded(4, 4), z=padded(3, 4), c=padded(2, 4)),
        "TZC",
        (4, 3, 2),
    ),
    "Fiji without separators": (
        named("x_t<t>z<z>c<c>.tif", t=padded(4), z=padded(3), c=padded(2)),
        "TZC",
        (4, 3, 2),
    ),
    "Micro-Manager 2": (
        named(
            "img_channel<c>_position<p>_time<t>_z<z>.tif",
            c=padded(2),
            p=padded(2),
            t=padded(3, 9),
            z=padded(2),
        ),
        "PTZC",
        (2, 3, 2, 2),
    ),
    "Micro-Manager 1": (
        named("img_<t>_<c>_<z>.tif", t=padded(3, 9), c=["DAPI", "GFP"], z=padded(2)),
        "TZC",
        (3, 2, 2),
    ),
    "ImageXpress": (
        named(
            "plate_<w>_s<s>_w<c>.TIF", w=["A01", "A02", "B01", "B02"], s=[1], c=[1, 2]
        ),
        "PC",
        (4, 2),
    ),
    "Opera": (
        named(
            "r01c02f<f>p<p>-ch<c>sk<t>fk1fl1.tiff",
            f=["01", "02"],
            p=["01", "02", "03"],
            c=[1, 2],
            t=[1, 2],
        ),
        "PTZC",
        (2, 2, 3, 2),
    ),
    "Incucyte": (
        [
            f"exp_B3_1_00d{hour:02}h{half * 30:02}m.tif"
            for hour in range(3)
            for half in (0, 1)
        ],
        "T",
        (6,),
    ),
    "hours, minutes, seconds": (
        [
            f"img_{at // 3600:02}h{at // 60 % 60:02}m{at % 60:02}s.png"
            for at in range(0, 9000, 700)
        ],
        "T",
        (13,),
    ),
    "Yokogawa": (
        [
            f"plate_A01_T000{t}F00{f}L01A0{c}Z0{z}C0{c}.tif"
            for f in (1, 2)
            for t in (1, 2, 3)
            for z in (1, 2)
            for c in (1, 2)
        ],
        "PTZC",
        (2, 3, 2, 2),
    ),
    "CellVoyager": (
        named("W0001F000<f>T000<t>Z01C<c>.tif", f=[1, 2], t=[1, 2, 3], c=[1, 2]),
        "PTC",
        (2, 3, 2),
    ),
    "Leica's screener": (
        named(
            "image--L0000--S00--U00--V00--J08--X0<x>--Y0<y>--T000<t>--Z00--C0<c>.ome.tif",
            x=[0, 1],
            y=[0, 1],
            t=[0, 1, 2],
            c=[0, 1],
        ),
        "PTC",
        (4, 3, 2),
    ),
    "In Cell": (
        named(
            "A - 01(fld <f> wv <c> - <c> time <t>).tif",
            f=[1, 2],
            c=["DAPI", "FITC"],
            t=[1, 2, 3],
        ),
        "PTC",
        (2, 3, 2),
    ),
    "channels by word": (named("cell_<c>.tif", c=["DAPI", "GFP"]), "C", (2,)),
    "channels by word and time": (
        named("<c>_<n>.png", c=["phase", "mCherry"], n=range(3)),
        "TC",
        (3, 2),
    ),
    "number and channel": (
        named("img_<n>_ch<c>.tif", n=padded(3), c=[0, 1]),
        "TC",
        (3, 2),
    ),
    "date and counter": (
        [f"2024-05-0{1 + n // 4}_cam_{n:04}.png" for n in range(8)],
        "T",
        (8,),
    ),
    "date and time": (
        [f"20240501_12{n // 60:02}{n % 60:02}.png" for n in range(0, 400, 7)],
        "T",
        (58,),
    ),
    "date, hour, minute, second": (
        [f"2024-05-01_12-{n // 60:02}-{n % 60:02}.png" for n in range(0, 400, 7)],
        "T",
        (58,),
    ),
    "nanoseconds": ([f"{1699999999000000 + n**3}.png" for n in range(9)], "T", (9,)),
    "letters": (["a.png", "b.png", "c.png"], "T", (3,)),
    "letters of wells": (["x_well_a.png", "x_well_b.png"], "P", (2,)),
    "dyes of EVOS and ArrayScan": (
        named("MFGTMP_120904160001_B02f00d<d>.TIF", d=[0, 1, 2]),
        "C",
        (3,),
    ),
    "wells of Gen5": (
        named("<w>_01_1_1_GFP_<t>.tif", w=["A1", "A2", "B1"], t=["001", "002"]),
        "PT",
        (3, 2),
    ),
    "fields of Columbus": (named("002003-<f>-001001001.tif", f=[1, 2]), "P", (2,)),
    "wells and positions of Scan^R": (
        named(
            "x--W0000<w>--P0000<p>--Z00000--T0000<t>--GFP.tif",
            w=[1, 2],
            p=[1],
            t=[0, 1],
        ),
        "PT",
        (2, 2),
    ),
    "traps": (named("trap<n>_t<t>.tif", n=[1, 2], t=[1, 2, 3]), "PT", (2, 3)),
    "sections": (named("section_<n>.tif", n=padded(3)), "Z", (3,)),
    "MetaMorph, wavelengths with their channels": (
        [f"e_w{c}Conf{n}_t{t}.TIF" for c, n in ((1, 491), (2, 561)) for t in (1, 2, 3)],
        "TC",
        (3, 2),
    ),
    "MetaXpress with a GUID": (
        [
            f"BBBC_A0{well}_s1_w{c}3F2504E0-4F89-11D3-9A0C-0305E82C33{well}{c}.tif"
            for well in (1, 2)
            for c in (1, 2)
        ],
        "PC",
        (2, 2),
    ),
    "wavelengths": (named("x_<c>nm_t<t>.tif", c=[405, 561], t=[1, 2, 3]), "TC", (3, 2)),
    "lasers": (["x_488.tif", "x_561.tif"], "C", (2,)),
    "numbers that might be lasers'": (named("f<n>.tif", n=range(486, 492)), "T", (6,)),
    "dyes": (["x_Cy3.tif", "x_Cy5.tif"], "C", (2,)),
    "tiles of QuPath": (
        named("slide [x=<x>,y=<y>,w=512,h=512].tif", x=[0, 512], y=[0, 512]),
        "P",
        (4,),
    ),
    "magnification": (named("a_10x_<n>.tif", n=padded(3)), "T", (3,)),
    "Keller's microscopes": (
        named("SPM00_TM<t>_CM00_CHN0<c>.tif", t=padded(3, 6), c=[0, 1]),
        "TC",
        (3, 2),
    ),
    "digit-like letters": (named("1²3_<n>.png", n=range(3)), "T", (3,)),
    "masks alone": (named("cell_<n>_masks.png", n=range(3)), "T", (3,)),
    "one file": (["anything at all.png"], "T", (1,)),
}


@pytest.mark.parametrize("kind", SERIES)
def test_names_say_what_files_are(kind):
    names, axes, shape = SERIES[kind]
    shuffled = list(np.random.default_rng(0).permutation(names))
    series = arrange_files(shuffled, "folder")
    assert (series.axes, series.shape) == (axes, shape)
    assert sorted(series.names) == sorted(names)


@given(order=st.permutations(SERIES["MetaMorph"][0]))
def test_the_order_of_the_listing_does_not_matter(order):
    assert (
        arrange_files(order, "folder").names == arrange_files(sorted(order), "").names
    )


@pytest.mark.parametrize(
    "ending",
    [
        *("_masks", "_cp_masks", "_seg", "_label", "_mask", ".stardist", ".labels"),
        *("_Simple Segmentation", "_Object Predictions"),
        *("_Object Identities", "_Tracking-Result", "_instances", "_gt"),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_masks_beside_images_are_left_out(ending, suffix):
    images = [f"t{number}.tif" for number in range(3)]
    masks = [f"t{number}{ending}{suffix}" for number in range(3)]
    series = arrange_files([*images, *masks], "folder")
    assert list(series.names) == images
    assert "3 masks" in series.known_from
    found = arrange_files([*images, *masks], "folder", are_labels=True)
    assert list(found.names) == masks


@pytest.mark.parametrize("ending", ["_flows", "_cp_outlines", "_Probabilities"])
def test_pictures_of_masks_are_neither_images_nor_labels(ending):
    images, masks, others = (
        [f"t{number}{end}.tif" for number in range(3)] for end in ("", "_masks", ending)
    )
    beside = [*images, *masks, *others]
    assert list(arrange_files(beside, "folder").names) == images
    assert list(arrange_files(beside, "folder", are_labels=True).names) == masks
    with pytest.raises(InputError, match="2 series"):
        arrange_files([*images, *others], "folder", are_labels=True)


ASKED = {
    "a gap": (
        ["t000.tif", "t001.tif", "t003.tif"],
        r"time 2 is missing, between 1 and 3",
    ),
    "a large gap": (["t0.png", "t1.png", "t2.png", "t50.png"], "time 3 is missing"),
    "a gap in z": (named("z<z>.tif", z=[1, 2, 4]), "plane 3 is missing"),
    "twice": (
        ["t1.tif", "t01.tif", "t2.tif"],
        "t01.tif and t1.tif have the same number",
    ),
    "two kinds of file": (["t1.tif", "t2.tif", "t1.png", "t2.png"], "2 series"),
    "two words": (named("<w>_<n>.tif", w=["left", "right"], n=[1, 2]), "2 series"),
    "words alone": (["before.png", "after.png"], "2 series"),
    "two numbers": (named("a<a>_<b>.tif", a=[1, 2], b=[1, 2]), "2 numbers differ"),
    "number and position": (named("<n>_s<s>.tif", n=[1, 2], s=[1, 2]), "not all say"),
    "a file of a grid": (named("t<t>_c<c>.tif", t=[1, 2], c=[1, 2])[:3], "no file of"),
    "more numbers in some": (["a1.tif", "a1_2.tif"], "2 series"),
    "angles": (named("spim_TL00_Angle<a>.tif", a=[0, 45, 90]), "a number differs"),
    "cycles of Prairie View": (
        named(
            "TSeries-01012024-1234-001_Cycle0000<y>_Ch2_00000<n>.ome.tif",
            y=[1, 2],
            n=[1, 2],
        ),
        "2 numbers differ",
    ),
    "samples": (named("patient<n>.tif", n=[1, 2, 3]), "a number differs"),
    "doses": (["x_10um.tif", "x_20um.tif"], "a number differs"),
    "lifetimes": (named("tau<n>.tif", n=[0, 1, 2]), "a number differs"),
    "channels of Columbus": (
        named("002003-1-00100100<c>.tif", c=[1, 2]),
        "a number differs",
    ),
    "cameras": (["Cam1.tif", "Cam2.tif"], "a number differs"),
    "cameras of light sheets": (
        named("SPM00_TM00000_CM<c>_CHN00.tif", c=["00", "01"]),
        "a number differs",
    ),
    "runs": (named("run<n>.tif", n=[1, 2, 3]), "a number differs"),
    "rounds of staining": (named("round<n>.tif", n=[1, 2, 3]), "a number differs"),
    "words that differ as numbers do": (["a1_raw.tif", "a2_seen.tif"], "2 series"),
    "kinds of file that differ as numbers do": (["a1.tif", "a2.png"], "2 series"),
    "an overview beside them": (["raw_1.tif", "raw_2.tif", "AVG_raw.tif"], "2 series"),
    "masks with a name before": (
        ["img_1.tif", "img_2.tif", "mask_1.tif", "mask_2.tif"],
        "2 series",
    ),
}


@pytest.mark.parametrize("kind", ASKED)
def test_what_names_do_not_say_is_asked_for(kind):
    names, words = ASKED[kind]
    with pytest.raises(InputError, match=words) as raised:
        arrange_files(names, "folder")
    assert raised.value.settings == ("files",)
    assert "\n" not in str(raised.value)


@given(
    names=st.lists(
        st.text(st.sampled_from("at1²3_-.zcw é\ud800"), min_size=1, max_size=9),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_any_names_are_arranged_or_refused(names):
    try:
        series = arrange_files([f"{name}.png" for name in names], "folder")
    except InputError:
        return
    assert len(series.names) == np.prod(series.shape)


@pytest.fixture
def two_channels(tmp_path):
    pixels = np.arange(2 * 3 * 8 * 9, dtype=np.uint16).reshape(2, 3, 8, 9)
    for time in range(3):
        tifffile.imwrite(tmp_path / f"exp_w1GFP_t{time + 1}.TIF", pixels[0, time])
        tifffile.imwrite(tmp_path / f"exp_w2DAPI_t{time + 1}.TIF", pixels[1, time])
    return tmp_path, pixels


def test_of_two_channels_one_is_chosen(two_channels):
    path, pixels = two_channels
    with pytest.raises(InputError, match="2 channels: choose one, 0 to 1"):
        open_frames(path)
    frames = open_frames(path, channels=1)
    assert frames.frame_count == 3
    for time in range(3):
        np.testing.assert_array_equal(frames.read_raw(time)[0], pixels[1, time])
    assert "exp_w1gfp_t1" in frames.reading.lower()


def test_a_pattern_names_the_files_of_one_movie(two_channels):
    path, pixels = two_channels
    frames = open_frames(path, files="*w2*")
    assert frames.frame_count == 3
    np.testing.assert_array_equal(frames.read_raw(2)[0], pixels[1, 2])
    with pytest.raises(InputError, match="no image is called"):
        open_frames(path, files="*w3*")
    with pytest.raises(InputError, match="no folder of images"):
        open_frames(path / "exp_w1GFP_t1.TIF", files="*")


def test_a_pattern_takes_files_as_they_are(tmp_path):
    for number in (0, 1, 3):
        tifffile.imwrite(tmp_path / f"t{number}.tif", np.full((8, 9), number, "u2"))
    assert open_frames(tmp_path, files="*.tif").frame_count == 3


def test_stacks_in_files_are_planes_if_they_say_so(tmp_path):
    pixels = np.arange(4 * 3 * 8 * 9, dtype=np.uint16).reshape(4, 3, 8, 9)
    for time, stack in enumerate(pixels):
        tifffile.imwrite(
            tmp_path / f"t{time}.tif",
            stack,
            photometric="minisblack",
            metadata={"axes": "ZYX"},
        )
    frames = open_frames(tmp_path, z=2)
    np.testing.assert_array_equal(frames.read_raw(3)[0], pixels[3, 2])
