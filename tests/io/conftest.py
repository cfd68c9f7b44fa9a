"""Small movies in memory and on disk, whose every pixel says where it lies."""

import numpy as np
import pytest
import zarr
from tests.io.fake_run import FRAME_SHAPE, LOGITS_SHAPE, PROVENANCE, FakeRun

from napari_sam2.interfaces import Calibration
from napari_sam2.io.label_store.store import OmeZarrLabelStore


def _numbered(shape, dtype=np.uint16):
    """Return an image in which all pixels differ, as far as the dtype allows."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.fixture
def numbered():
    return _numbered


@pytest.fixture
def movie():
    """``(7, 12, 10)`` uint16: frame 3 differs from frame 4 in every pixel."""
    return _numbered((7, 12, 10))


@pytest.fixture
def write_ome_zarr(tmp_path):
    """Write an OME-Zarr image of two levels as another program would."""

    def write(pixels, *, version="0.5", axes="tyx", scale=None, translation=None):
        path = tmp_path / f"image-{version}.zarr"
        group = zarr.open_group(
            path, mode="w", zarr_format=3 if version == "0.5" else 2
        )
        units = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
        kinds = {"t": "time", "c": "channel"}
        transformations = [{"type": "scale", "scale": scale or [1.0] * len(axes)}]
        if translation:
            transformations.append({"type": "translation", "translation": translation})
        group.create_array("0", data=pixels, chunks=(1, *pixels.shape[1:]))
        group.create_array("1", data=pixels[..., ::2, ::2])
        multiscale = {
            "axes": [
                {
                    "name": name,
                    "type": kinds.get(name, "space"),
                    **({"unit": units[name]} if name in units else {}),
                }
                for name in axes
            ],
            "datasets": [
                {"path": "0", "coordinateTransformations": transformations},
                {
                    "path": "1",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [*[1.0] * (len(axes) - 2), 2.0, 2.0]}
                    ],
                },
            ],
        }
        if version == "0.5":
            group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
        else:
            group.attrs["multiscales"] = [{"version": version, **multiscale}]
        return path

    return write


@pytest.fixture
def fake_run():
    return FakeRun()


@pytest.fixture
def provenance():
    return PROVENANCE


@pytest.fixture
def calibration():
    return Calibration(
        scale=(30.0, 0.65, 0.65),
        translation=(0.0, 12.5, 3.0),
        units=("second", "micrometer", "micrometer"),
    )


@pytest.fixture
def new_store(tmp_path, fake_run, provenance, calibration):
    """Return a function that creates a store; keywords override the defaults."""

    def create(path=None, **changes):
        facts = {
            "frame_count": fake_run.frame_count,
            "frame_shape": FRAME_SHAPE,
            "logits_shape": LOGITS_SHAPE,
            "objects": fake_run.objects,
            "provenance": provenance,
            "calibration": calibration,
        }
        return OmeZarrLabelStore.create(
            tmp_path / "x.zarr" if path is None else path, **(facts | changes)
        )

    return create
