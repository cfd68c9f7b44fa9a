"""Movies on servers: S3 (moto) and http, here; outputs there are refused."""

import http.server
import threading
from functools import partial

import numpy as np
import pytest
import zarr
from tests.batch.images import multiscales, write_labels

from napari_sam2.batch.plan.plan import BatchPlan
from napari_sam2.batch.prompting.policies import PromptsInside
from napari_sam2.batch.running.batch import run_plan
from napari_sam2.batch.running.movie_run import may_pass
from napari_sam2.errors import InputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import open_frames

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.fixture(scope="module")
def folder(movie, tmp_path_factory):
    """A folder with an OME-Zarr of three frames, and labels of its first in it."""
    path = tmp_path_factory.mktemp("served")
    image = zarr.open_group(path / "cells.zarr", mode="w")
    image.attrs["ome"] = multiscales("tyx", "cells")
    frames = np.stack([movie.frame(index) for index in range(3)])
    image.create_array("0", data=frames, chunks=(1, *frames.shape[1:]))
    labels = image.create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
    write_labels(labels, movie.labels(0))
    return path


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def over_http(folder):
    served = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cells.zarr"
        server.shutdown()
        thread.join()


@pytest.fixture
def over_s3(folder, monkeypatch):
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in (KEYS | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="lab")
    for file in folder.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), "lab", file.relative_to(folder).as_posix())
    yield "s3://lab/cells.zarr"
    server.stop()


@pytest.mark.parametrize("served", ["over_http", "over_s3"])
def test_a_movie_on_a_server_is_tracked_like_a_file(
    served, folder, job, tmp_path, request
):
    url = request.getfixturevalue(served)
    for movie, out in ((url, "remote"), (str(folder / "cells.zarr"), "local")):
        plan = BatchPlan(
            movies=(movie,),
            prompts=PromptsInside(group="labels/nuclei"),
            model_options=job.model_options,
            out=str(tmp_path / out / "{stem}.zarr"),
        ).from_folder(tmp_path)
        report = run_plan(plan, tmp_path / f"{out}-report")
        assert [one.error for one in report.movies] == [""]
    stores = [
        OmeZarrLabelStore.open(tmp_path / out / "cells.zarr", mode="r")
        for out in ("remote", "local")
    ]
    np.testing.assert_array_equal(stores[0].array[:], stores[1].array[:])
    assert stores[0].provenance.frames["source"] == url
    assert stores[0].calibration == stores[1].calibration
    here = plan.model_copy(update={"movies": (url,), "out": "{folder}/{stem}-m.zarr"})
    with pytest.raises(InputError, match="locked and renamed"):
        here.planned()


def test_what_a_server_does_not_have_is_one_line(over_http):
    url = over_http.replace("cells", "none")
    with pytest.raises(InputError, match=f"{url} cannot be read as zarr"):
        open_frames(url)
    with pytest.raises(InputError, match="name an image or an array"):
        open_frames(f"{over_http}/labels")


def test_a_server_that_is_gone_is_tried_again():
    with pytest.raises(InputError) as raised:
        open_frames("http://127.0.0.1:9/cells.zarr")
    assert "http://127.0.0.1:9/cells.zarr" in str(raised.value)
    assert may_pass(raised.value)
    assert not may_pass(InputError("what was given"))
