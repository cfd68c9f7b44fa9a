"""Colours of objects, as eyes tell them apart."""

import numpy as np

from napari_sam2.palette import PALETTE, object_rgb


def lab_of(rgb):
    """CIELAB of sRGB in 0…255, under the light D65."""
    part = np.asarray(rgb, float) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722]]
    to_xyz.append([0.0193, 0.1192, 0.9505])
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def closest(lab):
    away = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return (away + 1e9 * np.eye(len(lab))).min()


def test_objects_differ_from_each_other_and_from_grey():
    lab = lab_of(PALETTE)
    assert closest(lab[:6]) > 65
    assert closest(lab[:24]) > 28
    assert closest(lab) > 19
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 40
    assert 45 < lab[:, 0].min() < lab[:, 0].max() < 88


def test_an_id_keeps_its_colour_and_the_round_begins_anew():
    assert object_rgb(1) == PALETTE[0]
    assert object_rgb(len(PALETTE) + 1) == PALETTE[0]
    assert object_rgb(len(PALETTE)) == PALETTE[-1]
