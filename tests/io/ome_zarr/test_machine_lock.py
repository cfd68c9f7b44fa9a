"""One at a time, and nothing left in the folder for temporary files."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from napari_sam2.io.ome_zarr.machine_lock import alone


def test_one_at_a_time_and_no_file_is_left(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    count = 0

    def add(_):
        nonlocal count
        with alone(tmp_path / "x.zarr", "counting") as is_alone:
            before = count
            time.sleep(0.001)
            count = before + is_alone

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert count == 40
    assert not any(folder.iterdir())
