"""Break files of every kind that is read, at random, and see what the readers say.

    python tools/soak_inputs.py prompts --seconds 120

A reader may return, or raise an error of ours in one line. All else is a fault: another
exception, a message of several lines, a warning, or more than a few seconds of silence.
The last line has the numbers; the exit code is 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr

from napari_sam2.errors import NapariSam2Error
from napari_sam2.interfaces import FrameResult, ObjectScores, Progress
from napari_sam2.io.exports.masklets import open_masklets
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames
from napari_sam2.io.movies.label_frames import EVERYTHING, cut_label_frames
from napari_sam2.io.prompts.files import read_prompts
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.prompts import FramePrompt, PointPrompt, PromptedObject
from napari_sam2.train.recipe.config import read_config

SILENCE = 10.0
"""Seconds after which a person would think that it hangs."""

SHAPE = (20, 24)
PIXELS = np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, *SHAPE)
ODD = (
    *(None, True, False, -1, 0, 1, 2, 3, 255, 65_536, 10**12, 2**63, 10**40),
    *(0.5, 1e308, -1e308, float("inf"), float("nan"), "", "x", "²", "\ud800", "a\nb"),
    *("0", "1e999", "../x", "/", "zstd", "time", "<u2", "|O", "datetime64[s]", "\0"),
    *([], [1], ["a"], [None], [[]], {}, {"a": 1}, [{}], [0, 0, 0], [1e308] * 3),
)


@dataclass
class Tally:
    """What became of the mutations of one kind of file."""

    tried: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def take(self, read: Callable[[Path], object], path: Path) -> None:
        """Let a reader read, and note what it does."""
        self.tried += 1
        begin = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for kind in (zarr.errors.ZarrUserWarning, ResourceWarning):
                    warnings.simplefilter("ignore", kind)
                read(path)
        except NapariSam2Error as error:
            self.refused += 1
            if not str(error).isprintable():
                self.faults[f"no single line: {error!s:.200}"] += 1
        except Exception as error:  # noqa: BLE001 - any is a fault to be counted
            self.faults[_where(error)] += 1
        if time.monotonic() - begin > SILENCE:
            self.faults[f"{SILENCE:g} s of silence"] += 1


def _where(error: BaseException) -> str:
    """Name an exception and the last line of ours that it went through."""
    place, step = "", error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if "napari_sam2" in file:
            place = f"{file.rsplit('napari_sam2/', 1)[-1]}:{step.tb_lineno}"
        step = step.tb_next
    return f"{type(error).__name__} at {place}: {str(error)[:120]!r}"


# --- Mutations


def changed_json(value: Any, chance: random.Random) -> Any:
    """Return a document that differs in one to three places."""
    root = {"": json.loads(json.dumps(value))}
    for _ in range(chance.choice((1, 1, 2, 3))):
        path = chance.choice([one for one in _places(root) if one])
        *above, last = path
        holder: Any = root
        for step in above:
            holder = holder[step]
        kind = chance.random()
        if kind < 0.25 and above:
            del holder[last]
        elif kind < 0.4 and isinstance(holder[last], dict):
            known = [path[-1] for path in _places(root) if path]
            holder[last][str(chance.choice(known))] = chance.choice(ODD)
        elif kind < 0.5 and isinstance(holder[last], list):
            holder[last] = holder[last] * chance.choice((0, 2, 50))
        else:
            holder[last] = json.loads(json.dumps(chance.choice(ODD)))
    return root.get("")


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children: Any = node.items() if isinstance(node, dict) else ()
    children = enumerate(node) if isinstance(node, list) else children
    for key, child in children:
        yield from _places(child, (*path, key))


def changed_bytes(content: bytes, chance: random.Random, most: int = 0) -> bytes:
    """Return content with some bytes replaced, put in, or cut off.

    Parameters
    ----------
    content
        What is changed.
    chance
        Draws.
    most
        How far from the beginning bytes are changed; everywhere if 0.
    """
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(min(len(changed), most or len(changed)) or 1)
        kind = chance.random()
        if kind < 0.7:
            one = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            changed[at : at + 1] = bytes([one])
        elif kind < 0.8:
            changed[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f" * 4))
        elif kind < 0.9:
            changed[at:at] = chance.randbytes(chance.randrange(5))
        else:
            del changed[at : at + chance.randrange(9)]
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed) + 1) :]
    return bytes(changed)


def _change_file(path: Path, chance: random.Random) -> None:
    """Change a file of JSON as a document, or now and then as bytes."""
    content = path.read_bytes()
    if chance.random() < 0.9:
        content = json.dumps(changed_json(json.loads(content), chance)).encode()
    else:
        content = changed_bytes(content, chance)
    path.write_bytes(content)


# --- What is read


def read_movie(path: Path) -> None:
    """Read the first and the last frame of a movie, as labels too."""
    options: dict[str, Any]
    for options in ({}, {"axes": "TYX"}):
        try:
            frames = open_frames(path, **options)
        except NapariSam2Error:
            if options:
                raise
            continue
        with closing(frames):
            for index in {0, frames.frame_count - 1}:
                frames.read(index)
        return


def _read_labels(path: Path) -> None:
    with closing(cut_label_frames(path, EVERYTHING)) as labels:
        labels.read(0)


def _read_prompts(path: Path) -> None:
    read_prompts(path, frame_shape=SHAPE, frame_count=4)


def _read_run(path: Path) -> None:
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
RECIPE = Path(__file__).parent.parent / "docs" / "recipes"

Mutated = tuple[Callable[[Path], object], Iterator[Path]]


def _documents(folder: Path, chance: random.Random) -> Iterator[Path]:
    path = folder / "p.json"
    while True:
        path.write_text(json.dumps(PROMPTS))
        _change_file(path, chance)
        yield path


def _tables(folder: Path, chance: random.Random) -> Iterator[Path]:
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


def _recipes(folder: Path, chance: random.Random) -> Iterator[Path]:
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


def _zarrs(folder: Path, chance: random.Random) -> Iterator[Path]:
    paths = [_write_ome_zarr(folder / f"{one}.zarr", one) for one in ("0.4", "0.5")]
    files = [
        [one for one in path.rglob("*") if one.name in ZARR_FILES] for path in paths
    ]
    while True:
        which = chance.randrange(len(paths))
        file = chance.choice(files[which])
        whole = file.read_bytes()
        _change_file(file, chance)
        yield paths[which]
        file.write_bytes(whole)


ZARR_FILES = ("zarr.json", ".zarray", ".zattrs", ".zgroup")


def _write_ome_zarr(path: Path, version: str) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
    group.create_array("0", data=PIXELS, chunks=(1, *SHAPE))
    steps = [
        {"type": "scale", "scale": [1.0, 0.5, 0.5]},
        {"type": "translation", "translation": [0.0, 1.0, 2.0]},
    ]
    axes = [
        {"name": "t", "type": "time", "unit": "second"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [{"path": "0", "coordinateTransformations": steps}]
    multiscale = {"axes": axes, "datasets": datasets}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [{"version": version, **multiscale}]
    return path


def _runs(folder: Path, chance: random.Random) -> Iterator[Path]:
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
        _change_file(path / chance.choice(files), chance)
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


def _tiffs(folder: Path, chance: random.Random) -> Iterator[Path]:
    kinds: dict[str, dict[str, Any]] = {
        "shaped": {},
        "plain": {"metadata": None},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "ome": {"ome": True, "metadata": {"axes": "TYX"}},
        "zlib": {"compression": "zlib", "predictor": True},
        "lzw": {"compression": "lzw"},
        "big": {"bigtiff": True, "tile": (16, 16)},
        "motorola": {"byteorder": ">", "rowsperstrip": 3},
        "scanimage": {"metadata": None, "description": "SI.hChannels.channelSave = 1"},
    }
    path = folder / "a.tif"
    wholes = []
    for options in kinds.values():
        tifffile.imwrite(path, PIXELS, photometric="minisblack", **options)
        with tifffile.TiffFile(path) as file:
            start = file.pages.first.dataoffsets[0]
        content = path.read_bytes()
        headers = [at for at in range(len(content)) if not start <= at < start + 900]
        wholes.append((content, headers))
    while True:
        whole, headers = chance.choice(wholes)
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            one = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            content[chance.choice(headers)] = one
        if chance.random() < 0.1:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        yield path


def _images(folder: Path, chance: random.Random) -> Iterator[Path]:
    color = np.stack([PIXELS[0].astype(np.uint8)] * 3, -1)
    wholes = [
        imagecodecs.png_encode(PIXELS[0]),
        imagecodecs.png_encode(color),
        imagecodecs.jpeg_encode(color),
        imagecodecs.bmp_encode(color),
    ]
    npy = folder / "a.npy"
    np.save(npy, PIXELS)
    wholes.append(npy.read_bytes())
    npy.unlink()
    path = folder / "a.png"
    while True:
        whole = chance.choice(wholes)
        path.write_bytes(changed_bytes(whole, chance, chance.choice((0, 150))))
        yield path


KINDS: dict[str, tuple[Callable[[Path], object], Any]] = {
    "prompts": (_read_prompts, _documents),
    "tables": (_read_prompts, _tables),
    "recipes": (read_config, _recipes),
    "zarrs": (read_movie, _zarrs),
    "runs": (_read_run, _runs),
    "tiffs": (read_movie, _tiffs),
    "labels": (_read_labels, _tiffs),
    "images": (read_movie, _images),
}


def soak(kind: str, folder: Path, *, rounds: int, seconds: float, seed: int) -> Tally:
    """Break files of a kind and read them.

    Parameters
    ----------
    kind
        One of `KINDS`.
    folder
        Scratch.
    rounds, seconds
        How often or how long, whatever is reached first.
    seed
        Of all that is drawn.
    """
    read, mutate = KINDS[kind]
    tally, end = Tally(), time.monotonic() + seconds
    for path in mutate(folder, random.Random(seed)):
        tally.take(read, path)
        if tally.tried >= rounds or time.monotonic() > end:
            break
    return tally


def main() -> int:
    """Soak what was asked for; return 1 after a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=[*KINDS, "all"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    faults = 0
    for kind in KINDS if chosen.kind == "all" else [chosen.kind]:
        with tempfile.TemporaryDirectory() as folder:
            tally = soak(
                kind,
                Path(folder),
                rounds=chosen.rounds,
                seconds=chosen.seconds,
                seed=chosen.seed,
            )
        for fault, count in tally.faults.most_common(20):
            sys.stdout.write(f"  {count} × {fault}\n")
        count = tally.faults.total()
        sys.stdout.write(
            f"{kind}: {tally.tried} tried, {tally.refused} refused, {count} faults\n"
        )
        sys.stdout.flush()
        faults += count
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
