"""The public Python API: cheap to import, documented, and what it says it is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_sam2 as ns
from napari_sam2 import api

ROOT = Path(__file__).parents[1]


def test_all_names_are_found_at_the_top_and_documented():
    assert ns.__all__ == api.__all__
    for name in api.__all__:
        found = getattr(ns, name)
        assert found is getattr(api, name)
        assert found.__doc__
    with pytest.raises(AttributeError, match="nothing"):
        ns.nothing  # noqa: B018


def test_importing_the_package_loads_nothing():
    code = (
        "import sys, napari_sam2; dir(napari_sam2);"
        "print({'numpy', 'torch', 'zarr', 'pydantic', 'napari'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_the_reference_page_is_what_the_docstrings_say():
    """Made by ``python tools/api_reference.py > docs/api.md``."""
    tool = ROOT / "tools" / "api_reference.py"
    done = subprocess.run([sys.executable, tool], capture_output=True)
    written = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert done.stdout.decode().replace("\r\n", "\n") == written, done.stderr.decode()


def test_prompts_are_made_and_movies_opened(tmp_path):
    np.save(tmp_path / "movie.npy", np.zeros((3, 20, 24), np.uint8))
    movie = ns.open_movie(tmp_path / "movie.npy")
    assert (movie.frame_count, movie.frame_shape) == (3, (20, 24))
    movie.close()
    click = ns.FramePrompt(1, 0, points=(ns.PointPrompt(4, 5),))
    ns.write_prompts(tmp_path / "prompts.json", [ns.PromptedObject(1, (click,))])
    (read,) = ns.read_prompts(
        tmp_path / "prompts.json", frame_shape=(20, 24), frame_count=3
    )
    assert read.prompts[0].points == click.points
