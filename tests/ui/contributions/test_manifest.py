"""What napari learns of the plugin before anything of it is imported."""

import subprocess
import sys

from npe2 import PluginManifest

from napari_sam2.ui.contributions.sample_data import SAMPLES

CONTRIBUTIONS = PluginManifest.from_distribution("napari-sam2").contributions

DECLINE = """
import sys
from napari_sam2.ui.contributions.reader import get_reader
assert get_reader(sys.argv[1]) is None
print(*sys.modules)
"""


def test_sessions_are_read_from_folders_and_labels_are_written():
    (reader,) = CONTRIBUTIONS.readers
    assert reader.accepts_directories
    assert reader.filename_patterns == ["*.zarr"]
    (writer,) = CONTRIBUTIONS.writers
    assert writer.layer_types == ["labels"]
    assert writer.filename_extensions == [".zarr", ".ome.zarr"]


def test_the_tracker_is_found_below_segment_and_track():
    for menu in ("napari/layers/segment", "napari/layers/track"):
        commands = [item.command for item in CONTRIBUTIONS.menus[menu]]
        assert "napari-sam2.open_tracker" in commands
    assert "napari-sam2.make_tracks" in commands


def test_three_simulated_movies_are_offered():
    offered = {one.key: one.display_name for one in CONTRIBUTIONS.sample_data}
    assert offered == {key: f"{title} (simulated)" for key, title in SAMPLES.items()}


def test_declining_a_folder_costs_nothing(tmp_path):
    """napari asks every reader of ``*.zarr`` before it opens one."""
    done = subprocess.run(
        [sys.executable, "-c", DECLINE, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not {"torch", "zarr", "napari", "qtpy"} & set(done.stdout.split())
