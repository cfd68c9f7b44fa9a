"""Downloads over real sockets, from a server that misbehaves as servers do."""

import gc
import hashlib
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints import byte_stream
from napari_sam2.model.checkpoints import download as downloading
from napari_sam2.model.checkpoints.download import (
    cache_folder,
    download,
    download_steps,
    file_sha256,
    model_path,
    verify,
)
from napari_sam2.model.checkpoints.registry import ModelFile

BODY = bytes(range(256)) * 12_000  # twelve chunks
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = b"something else"
OTHER_SHA256 = hashlib.sha256(OTHER).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Serves one body under every path; tests set how it fails."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.body = BODY
        self.status = 200
        self.knows_ranges = True
        self.tells_length = True
        self.cut_after = None
        self.silent_after = None
        self.length = None  # what is told instead of the true length
        self.location = None  # where to go instead
        self.may_go_on = threading.Event()
        self.starts = []  # first byte that each request asked for

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/weights/"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        start = int(asked[1])
        server.starts.append(start)
        if server.status != 200:
            self.send_error(server.status)
            return
        if start and start >= len(server.body) and server.knows_ranges:
            self.send_error(416)
            return
        if server.location is not None:
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
            return
        rest = server.body[start:] if server.knows_ranges else server.body
        self.send_response(206 if start and server.knows_ranges else 200)
        if server.tells_length:
            self.send_header("Content-Length", server.length or str(len(rest)))
        self.end_headers()
        if server.silent_after is not None:
            self.wfile.write(rest[: server.silent_after])
            self.wfile.flush()
            server.may_go_on.wait(60)
            return
        self.wfile.write(rest if server.cut_after is None else rest[: server.cut_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with FileServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def entry(*, length, confirmed):
    return ModelFile(
        "served",
        "served.pt",
        "http://127.0.0.1:9/served.pt",
        length,
        SHA256,
        confirmed,
        "Apache-2.0",
    )


@pytest.fixture
def confirmed(monkeypatch):
    known = entry(length=len(BODY), confirmed=True)
    monkeypatch.setattr(downloading, "find", lambda _: known)
    return known


@pytest.fixture
def unconfirmed(monkeypatch):
    known = entry(length=None, confirmed=False)
    monkeypatch.setattr(downloading, "find", lambda _: known)
    return known


def part_of(path):
    return path.with_name(path.name + ".part")


def test_a_download_arrives_whole_in_the_chosen_folder(server, confirmed, tmp_path):
    path = download("served", base_url=server.url)
    assert path == tmp_path / "napari-sam2-cache" / "served.pt"
    assert path.read_bytes() == BODY
    assert not part_of(path).exists()
    assert verify("served").trusted_by == "registry"


def test_without_a_chosen_folder_the_users_cache_is_taken(monkeypatch):
    monkeypatch.delenv("NAPARI_SAM2_CACHE")
    assert "napari-sam2" in str(cache_folder())


def test_a_file_that_is_there_is_not_fetched_again(server, confirmed):
    download("served", base_url=server.url)
    download("served", base_url=server.url)
    assert server.starts == [0]


def test_progress_is_reported_up_to_the_end(server, confirmed):
    seen = []
    download("served", base_url=server.url, progress=lambda *state: seen.append(state))
    here = [state[0] for state in seen]
    assert here == sorted(here)
    assert len(here) >= 3
    assert seen[-1] == (len(BODY), len(BODY))


def test_a_truncated_body_never_looks_whole_and_is_continued(server, confirmed):
    server.cut_after = 1_500_000
    with pytest.raises(ModelError, match=r"broke off after \d+ bytes.*goes on"):
        download("served", base_url=server.url)
    path = model_path("served")
    assert not path.exists()
    here = part_of(path).stat().st_size
    assert 1_000_000 < here <= 1_500_000

    server.cut_after = None
    seen = []
    download("served", base_url=server.url, progress=lambda *state: seen.append(state))
    assert path.read_bytes() == BODY
    assert server.starts == [0, here]
    assert seen[0][0] > here
    assert seen[-1] == (len(BODY), len(BODY))


def test_a_body_that_ends_early_without_a_length_is_noticed(server, confirmed):
    server.tells_length, server.cut_after = False, 1_000
    with pytest.raises(ModelError, match=f"ended after 1000 of {len(BODY)} bytes"):
        download("served", base_url=server.url)
    assert not model_path("served").exists()


def test_a_cancelled_download_is_continued(server, confirmed):
    def cancel(_here, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("served", base_url=server.url, progress=cancel)
    path = model_path("served")
    assert not path.exists()
    assert 0 < part_of(path).stat().st_size < len(BODY)

    assert download("served", base_url=server.url).read_bytes() == BODY
    assert server.starts[1] > 0


def test_a_download_from_a_silent_server_is_cancelled_at_once(server, confirmed):
    server.silent_after = 1 << 20
    steps = download_steps("served", base_url=server.url)
    here = 0
    while here < server.silent_after:
        here = next(steps).here
    for _ in range(2):  # nothing comes, and still somebody is asked whether to go on
        assert next(steps).here == here
    begin = time.monotonic()
    steps.close()
    assert time.monotonic() - begin < 30
    assert part_of(model_path("served")).stat().st_size == here

    server.silent_after = None
    assert download("served", base_url=server.url).read_bytes() == BODY
    assert server.starts == [0, here]
    server.may_go_on.set()


def test_who_waits_for_another_process_may_walk_away(server, confirmed):
    server.silent_after = 1 << 18
    first = download_steps("served", base_url=server.url)
    assert next(first).stage == "downloading"
    with ThreadPoolExecutor(1) as pool:  # locks are held by a thread
        second = download_steps("served", base_url=server.url)
        assert pool.submit(next, second).result(timeout=60).stage == "waiting"
        pool.submit(second.close).result(timeout=60)
    first.close()
    server.silent_after = None
    assert download("served", base_url=server.url).read_bytes() == BODY
    server.may_go_on.set()


def test_a_server_without_ranges_sends_all_again(server, confirmed):
    server.knows_ranges = False
    part = part_of(model_path("served"))
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY[:1000])
    assert download("served", base_url=server.url).read_bytes() == BODY


@pytest.mark.parametrize("length", [1_000, len(BODY), len(BODY) + 7])
def test_a_start_of_another_file_is_thrown_away(server, confirmed, length):
    part = part_of(model_path("served"))
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * length)
    assert download("served", base_url=server.url).read_bytes() == BODY
    assert server.starts == [length, 0]


def test_a_wrong_hash_is_refused_and_not_kept(server, confirmed):
    server.body = BODY[:-1] + b"!"
    with pytest.raises(ModelError, match=f"expected {SHA256}: it was not kept"):
        download("served", base_url=server.url)
    assert not model_path("served").exists()
    assert not part_of(model_path("served")).exists()


def test_no_other_hash_is_accepted_where_sources_agree(server, confirmed):
    with pytest.raises(ModelError, match="confirmed by several sources"):
        download("served", base_url=server.url, accept_hash=OTHER_SHA256)
    assert server.starts == []


def test_where_one_source_names_the_hash_a_person_may_accept_another(
    server, unconfirmed
):
    server.body = OTHER
    with pytest.raises(
        ModelError, match=f"single source.*--accept-hash {OTHER_SHA256}"
    ):
        download("served", base_url=server.url)
    assert not model_path("served").exists()

    path = download("served", base_url=server.url, accept_hash=OTHER_SHA256.upper())
    assert path.read_bytes() == OTHER
    assert server.starts == [0], "what had come already is used"
    assert verify("served").trusted_by == "person"
    assert download("served", base_url=server.url) == path
    assert server.starts == [0]


def test_an_accepted_hash_must_be_a_hash(unconfirmed):
    with pytest.raises(ModelError, match="64 hexadecimal digits"):
        download("served", accept_hash="abc")


def test_a_missing_file_on_the_server_is_named(server, confirmed):
    server.status = 404
    with pytest.raises(ModelError, match=r"/weights/served\.pt answers 404 Not Found"):
        download("served", base_url=server.url)
    assert not model_path("served").exists()


def test_no_network_says_where_to_put_the_file(confirmed):
    with socket.socket() as unused:  # bound and not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ModelError, match="cannot reach") as caught:
            download("served", base_url=f"http://127.0.0.1:{port}")
    assert str(model_path("served")) in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(confirmed, tmp_path, monkeypatch):
    blocked = tmp_path / "a file"
    blocked.write_text("no folder")
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(blocked))
    with pytest.raises(ModelError, match=r"cannot write .*NAPARI_SAM2_CACHE"):
        download("served")


def test_two_downloads_at_once_fetch_the_file_once(server, confirmed):
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(download, "served", base_url=server.url) for _ in range(4)]
        paths = {task.result(timeout=60) for task in tasks}
    assert paths == {model_path("served")}
    assert model_path("served").read_bytes() == BODY
    assert server.starts == [0]


def test_verify_names_a_file_that_is_not_there(confirmed):
    with pytest.raises(ModelError, match="models download served"):
        verify("served")


def test_verify_notices_a_changed_byte(server, confirmed):
    path = download("served", base_url=server.url)
    path.write_bytes(BODY[:-1] + b"!")
    with pytest.raises(ModelError, match="is not the published served"):
        verify("served")
    assert download("served", base_url=server.url).read_bytes() == BODY


@pytest.mark.parametrize("failure", [1, 2, 3, 4])
def test_errors_are_one_line(server, confirmed, failure):
    if failure == 1:
        server.status = 404
    elif failure == 2:
        server.cut_after = 10
    elif failure == 3:
        server.body = OTHER
    else:
        server.server_close()
    with pytest.raises(ModelError) as caught:
        download("served", base_url=server.url)
    assert "\n" not in str(caught.value)


# --- Servers that are broken or hostile: never a wait without end


@pytest.mark.parametrize("length", ["many", "-5", "1e3", "²", "99, 98"])
def test_a_length_that_is_no_number_hangs_nobody(server, confirmed, length):
    server.length = length
    try:
        assert download("served", base_url=server.url).read_bytes() == BODY
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either is right, a hang is not


@pytest.mark.parametrize(
    "location", ["http://[", "http://", "gopher://x/", "http://a..b/", "/again", "\x00"]
)
# Where requests fails itself, it leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
def test_a_redirect_to_nowhere_hangs_nobody(server, confirmed, location):
    server.location = location
    with pytest.raises(ModelError, match=r"cannot reach|answers 302"):
        download("served", base_url=server.url)
    gc.collect()


@pytest.mark.parametrize("tells_length", [False, True])
@pytest.mark.parametrize("start", [0, 1000])
def test_a_body_longer_than_the_file_is_not_taken(
    server, confirmed, tells_length, start
):
    part = part_of(model_path("served"))
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY[:start])
    server.body, server.tells_length = BODY * 2, tells_length
    with pytest.raises(ModelError, match=f"more than the {len(BODY)} bytes of served"):
        download("served", base_url=server.url)
    assert not part.exists()
    assert not model_path("served").exists()


def test_a_body_without_end_is_ended_where_no_length_is_known(
    server, unconfirmed, monkeypatch
):
    monkeypatch.setattr(downloading, "LARGEST_FILE", 100_000)
    server.tells_length = False
    with pytest.raises(ModelError, match="more than the 100000 bytes of served"):
        download("served", base_url=server.url)


def test_a_server_that_is_too_slow_is_left(server, confirmed, monkeypatch):
    monkeypatch.setattr(byte_stream, "LONGEST_WAIT", 0.3)
    server.silent_after = 1 << 18
    with pytest.raises(ModelError, match="broke off after 262144 bytes"):
        download("served", base_url=server.url)
    server.silent_after = None
    assert download("served", base_url=server.url).read_bytes() == BODY
    assert server.starts == [0, 1 << 18]
    server.may_go_on.set()


# --- Caches of others


def test_a_whole_file_is_used_without_writing(server, confirmed):
    """A shared cache may be read-only."""
    path = download("served", base_url=server.url)
    for other in set(path.parent.iterdir()) - {path}:
        other.unlink()
    assert download("served", base_url=server.url) == path
    assert list(path.parent.iterdir()) == [path]


def test_an_accepted_hash_never_overrules_a_confirmed_one(server, confirmed):
    """Whoever can write into the cache could have put both there."""
    path = model_path("served")
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    path.with_name("served.pt.accepted-sha256").write_text(OTHER_SHA256)
    with pytest.raises(ModelError, match="is not the published served"):
        verify("served")
    assert download("served", base_url=server.url).read_bytes() == BODY
    assert verify("served").trusted_by == "registry"


def test_a_damaged_note_of_an_accepted_hash_accepts_nothing(server, unconfirmed):
    path = download("served", base_url=server.url)
    path.with_name("served.pt.accepted-sha256").write_bytes(b"\xff\xfe")
    assert verify("served").trusted_by == "registry"


def test_a_file_is_hashed_once_a_process_unless_it_changes(tmp_path, monkeypatch):
    path, read = tmp_path / "weights", []
    real = hashlib.file_digest

    def counted(stream, name):
        read.append(stream.name)
        return real(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    path.write_bytes(b"ours")
    first = [file_sha256(path) for _ in range(3)]
    (tmp_path / "other").write_bytes(b"hers")
    (tmp_path / "other").replace(path)  # as long, and perhaps as old
    assert set(first) == {hashlib.sha256(b"ours").hexdigest()}
    assert file_sha256(path) == hashlib.sha256(b"hers").hexdigest()
    assert len(read) == 2
