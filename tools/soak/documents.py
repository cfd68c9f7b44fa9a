"""Broken documents: prompts, recipes, plans, sessions, runs, results of trackers."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from tools.soak.mutations import change_file, changed_bytes, changed_json, changed_text

from napari_sam2.batch.plan.plan import read_plan as plan_from
from napari_sam2.errors import NapariSam2Error
from napari_sam2.interfaces import FrameResult, ObjectScores, Progress
from napari_sam2.io.exports.formats import export
from napari_sam2.io.exports.masklets import open_masklets
from napari_sam2.io.imports.formats import open_tracked
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.prompts.files import read_prompts as prompts_from
from napari_sam2.io.sessions.document import SessionDocument
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import BoxPrompt, FramePrompt, PointPrompt, PromptedObject
from napari_sam2.session.book.state import BookState, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

SHAPE = (20, 24)
MOST_FRAMES = 20
"""So many are read of each file."""


PROVENANCE = Provenance(
    model="nano",
    weights_sha256="0" * 64,
    device="cpu",
    precision="fp32",
    threads=2,
    prompts={"version": 1, "objects": [{"id": 3}]},
    frames={"source": "/here/movie.tif"},
    settings={"direction": "both"},
    plugin_version="0.2.0",
)


PROMPTS = {
    "version": 1,
    "objects": [
        {
            "id": 1,
            "name": "one",
            "prompts": [
                {"frame": 0, "points": [[5.0, 6.0], [9, 9]], "positive": [True, False]},
                {"frame": 1, "absent": True},
            ],
        },
        {"id": 2, "parent": 1, "prompts": [{"frame": 2, "box": [1, 2, 9, 9]}]},
    ],
}


RECIPE = Path(__file__).parents[2] / "docs" / "recipes"


def read_prompts(path: Path) -> None:
    """Read a file of prompts."""
    prompts_from(path, frame_shape=SHAPE, frame_count=4)


def read_run(path: Path) -> None:
    """Read everything of a run that `track`, `export` and the window look at."""
    faults: list[NapariSam2Error] = []
    for step in (_look_at_run, _export_run, _resume_run):
        try:
            step(path)
        except NapariSam2Error as error:
            faults.append(error)
    if faults:
        raise next((one for one in faults if not str(one).isprintable()), faults[0])


def _look_at_run(path: Path) -> None:
    with closing(OmeZarrLabelStore.open(path, mode="r")) as store:
        store.read_labels(0)
        store.read_scores(0)
        store.read_anchors()
        store.read_session()


def _export_run(path: Path) -> None:
    for _, labels in open_masklets(path).frames():
        labels.max()


def _resume_run(path: Path) -> None:
    with closing(OmeZarrLabelStore.open_for_resume(path, PROVENANCE)) as store:
        store.read_progress()


def read_session(path: Path) -> None:
    """Read the session of a run."""
    with closing(OmeZarrLabelStore.open(path, mode="r")) as store:
        store.read_session()


def read_plan(path: Path) -> None:
    """Read a plan, and find its movies."""
    plan_from(path).planned()


def read_tracked(path: Path) -> None:
    """Read what another tracker made."""
    with closing(open_tracked(path)) as tracked:
        # A file may claim any number of frames.
        for _, labels in islice(tracked.frames(), MOST_FRAMES):
            labels.max()


def prompts(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change prompts as JSON."""
    path = folder / "p.json"
    while True:
        path.write_text(json.dumps(PROMPTS))
        change_file(path, chance)
        yield path


def tables(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change tables of points and shapes."""
    points = "index,axis-0,axis-1,axis-2,label,positive\n0,1,2,3,4,1\n1,2,9,9,4,0\n"
    shapes = "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n" + "".join(
        f"0,polygon,{number},0,{y},{x}\n"
        for number, (y, x) in enumerate(((2, 2), (2, 9), (9, 9)))
    )
    path = folder / "p.csv"
    while True:
        path.write_bytes(
            changed_bytes(chance.choice((points, shapes)).encode(), chance)
        )
        yield path


def recipes(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change recipes of trainings."""
    texts = [path.read_bytes() for path in sorted(RECIPE.glob("*.toml"))]
    values = (b"-1", b"0", b"1e999", b"nan", b"inf", b"9" * 30, b"'x'", b"[]", b"true")
    odd = (*values, b"{}", b"[[1]]", b"1979-05-27", b"''", b"'\\u00b2'", b"[1, 'a']")
    path = folder / "r.toml"
    while True:
        content = chance.choice(texts)
        if chance.random() < 0.6:
            lines = content.splitlines()
            for _ in range(chance.choice((1, 2, 3))):
                at = chance.choice([i for i, one in enumerate(lines) if b"=" in one])
                name = lines[at].lstrip(b"# ").partition(b"=")[0]
                lines[at] = name + b"= " + chance.choice(odd)
            content = b"\n".join(lines)
        else:
            content = changed_bytes(content, chance)
        path.write_bytes(content)
        yield path


def runs(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change the metadata of a run: its group, its journal, arrays, and its parent."""
    whole = _write_run(folder / "whole.zarr")
    files = [file.relative_to(whole) for file in whole.rglob("zarr.json")]
    # What a person may edit is where most is written.
    files += [
        one for one in files if b'"attributes":{}' not in (whole / one).read_bytes()
    ] * 3
    path = folder / "run.zarr"
    while True:
        # A run that is resumed mends itself: each one is a new copy.
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(whole, path)
        change_file(path / chance.choice(files), chance)
        yield path


def _write_run(path: Path) -> Path:
    """Write a run of two frames that was interrupted after its second commit."""
    prompt = FramePrompt(3, 0, points=(PointPrompt(5.0, 6.0),))
    store = OmeZarrLabelStore.create(
        path,
        frame_count=4,
        frame_shape=SHAPE,
        logits_shape=(8, 8),
        objects=[PromptedObject(3, (prompt,), "cell")],
        provenance=PROVENANCE,
    )
    labels, logits = np.zeros(SHAPE, np.uint16), np.ones((1, 8, 8), np.float32)
    labels[5:9, 6:12] = 3
    sure = np.ones(1, np.float32)
    scores = ObjectScores(sure, sure, sure, np.array([24]))
    for frame in range(2):
        store.write(FrameResult(frame, labels, (3,), logits, scores))
        memory = {"slots": np.arange(4.0) + frame}
        store.commit(Progress(0, frame + 1, PROVENANCE.plan_key), memory)
    store.close()
    return path


def sessions(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change the document of a session, as a person may who knows where it is."""
    path = _write_run(folder / "run.zarr")
    some = FrameSet.of((0, 2))
    points = FramePrompt(3, 0, points=(PointPrompt(5.0, 6.0),))
    box = FramePrompt(7, 2, box=BoxPrompt(1.0, 2.0, 9.0, 9.0))
    states = (
        ObjectState(3, "cell", None, (points,), False, some, some, some, some),
        ObjectState(7, "", 3, (box,)),
    )
    store = OmeZarrLabelStore.open(path)
    store.save_session(SessionDocument(book=BookState(states), frame_index=1))
    store.close()
    file = path / "labels/masklets/napari-sam2/session/zarr.json"
    whole = json.loads(file.read_text())
    document = json.loads(whole["attributes"]["document"])
    while True:
        if chance.random() < 0.9:
            text = json.dumps(changed_json(document, chance))
        else:
            raw = changed_bytes(json.dumps(document).encode(), chance)
            text = raw.decode("latin-1")
        attributes = {**whole["attributes"], "document": text}
        file.write_text(json.dumps({**whole, "attributes": attributes}))
        yield path


def plans(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change a plan."""
    plan = {
        "version": 1,
        "movies": ["m?.tif"],
        "prompts": {"kind": "beside", "patterns": ["{stem}_cp_masks.tif"]},
        "out": "{folder}/{stem}.zarr",
        "frames": [0, 3],
        "exports": {"tiff": "{stem}_labels.tif"},
        "frame_options": {"z": 1, "channels": [0], "percentiles": [1.0, 99.0]},
        "model_options": {"model": "nano", "tiles": "auto"},
    }
    path = folder / "plan.json"
    for name in ("m1.tif", "m2.tif", "m1_cp_masks.tif"):
        (folder / name).touch()
    while True:
        path.write_text(json.dumps(plan))
        change_file(path, chance)
        yield path


def tracked(folder: Path, chance: random.Random) -> Iterator[Path]:
    """Change the tables of other trackers' results."""
    run = open_masklets(_write_run(folder / "run.zarr"))
    document = export(run, folder / "a.xml", "trackmate")
    cells = export(run, folder / "01_RES", "ctc")
    table = cells / "res_track.txt"
    wholes = {document: document.read_bytes(), table: table.read_bytes()}
    while True:
        changed = chance.choice([*wholes])
        changed.write_bytes(changed_text(wholes[changed], chance))
        yield document if changed == document else cells
