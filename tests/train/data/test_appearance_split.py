"""The split: what looks alike is on one side."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from napari_sam2.cli import app
from napari_sam2.errors import InputError, OutputError
from napari_sam2.train.data.appearance_split import (
    clusters_of,
    describe,
    hold_out,
    split_by_appearance,
)

RECIPES = Path(__file__).parents[3] / "docs" / "recipes"


def picture(kind: int, copy: int) -> np.ndarray:
    """A kind has its brightness and texture, a copy its own noise."""
    random = np.random.default_rng((kind, copy))
    base = np.random.default_rng(kind).normal(40 + 40 * kind, 6 * kind, (64, 64, 1))
    return np.clip(base + random.normal(0, 1, base.shape), 0, 255).astype(np.uint8)


def images(kinds: int = 5, copies: int = 3) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(name=f"{kind}-{copy}.png", frames=picture(kind, copy)[None])
        for copy in range(copies)
        for kind in range(kinds)
    ]


def test_near_duplicates_are_one_cluster():
    descriptions = [describe(image.frames[0]) for image in images()]
    clusters = clusters_of(np.array(descriptions))
    kinds = [image.name[0] for image in images()]
    assert len(set(clusters)) == 5
    assert len(set(zip(kinds, clusters.tolist(), strict=True))) == 5


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=60),
    st.floats(0.05, 0.6),
    st.integers(0, 99),
)
def test_no_cluster_is_on_both_sides(clusters, share, seed):
    names = [str(index) for index in range(len(clusters))]
    held = set(hold_out(names, np.array(clusters), share, seed))
    assert len(held) <= round(share * len(names))
    of_held = {c for n, c in zip(names, clusters, strict=True) if n in held}
    of_kept = {c for n, c in zip(names, clusters, strict=True) if n not in held}
    assert not of_held & of_kept


@pytest.mark.parametrize("name", ["dsb2018", "usiigaci-phase"])
def test_the_splits_of_the_recipes_share_no_cluster(name):
    with (RECIPES / f"clusters-{name}.csv").open(newline="") as file:
        cluster = {row["name"]: row["cluster"] for row in csv.DictReader(file)}
    held = (RECIPES / f"held-out-{name}.txt").read_text().split()
    assert set(held) < set(cluster)
    kept = {cluster[name] for name in cluster if name not in held}
    assert not kept & {cluster[name] for name in held}
    clusters = np.array([int(one) for one in cluster.values()])
    assert held == hold_out(list(cluster), clusters, 0.12, 0)


def test_the_command_writes_list_and_clusters(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for image in images():
        Image.fromarray(image.frames[0, ..., 0]).save(tmp_path / "images" / image.name)
        mask = Image.fromarray(np.ones((64, 64), np.uint8))
        mask.save(tmp_path / "masks" / image.name)
    out, table = tmp_path / "held-out.txt", tmp_path / "clusters.csv"
    arguments = ["train-split", str(tmp_path), "--out", str(out), "--share", "0.25"]
    result = CliRunner().invoke(app, [*arguments, "--clusters", str(table)])
    assert result.exit_code == 0, result.output
    held = out.read_text().split()
    assert len(held) == 3
    assert len({name[0] for name in held}) == 1
    assert len(table.read_text().splitlines()) == 16
    for kept in (out, table):
        (out if kept is table else table).unlink()
        kept.write_text("mine")
        again = CliRunner().invoke(app, [*arguments, "--clusters", str(table)])
        assert isinstance(again.exception, OutputError)
        assert kept.read_text() == "mine"
        out.write_text("mine")


def test_a_share_that_holds_out_nothing_is_refused():
    with pytest.raises(InputError, match=r"5 .*clusters"):
        split_by_appearance(images(), 0.1, 0)
