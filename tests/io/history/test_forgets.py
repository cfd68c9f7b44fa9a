"""Steps that are too old are forgotten, and their files go."""

from napari_sam2.io.history import history
from napari_sam2.session.book.state import BookState

NOTHING = BookState()


def test_old_steps_are_forgotten(new_store, fake_run):
    store = new_store()
    for number in range(6):
        store.history.begin(f"step {number}", NOTHING, NOTHING)
        store.write(fake_run.result(0, shown=[3 + 4 * (number % 2)]))
    store.history.compact(max_steps=3)
    texts = []
    while (returned := store.history.undo()) is not None:
        texts.append(returned.text)
    assert texts == ["step 5", "step 4", "step 3"]
    store.history.begin("last", NOTHING, NOTHING)
    store.history.compact(max_bytes=0)
    assert store.history.undo_text == "last"
    folder = store.path / "labels/masklets/napari-sam2/history"
    assert len(list(folder.iterdir())) == 2


def test_a_long_session_forgets_its_oldest_steps_by_itself(new_store, monkeypatch):
    monkeypatch.setattr(history, "MAX_STEPS", 4)
    monkeypatch.setattr(history, "SLACK", 2)
    store = new_store()
    for number in range(12):
        store.history.begin(f"step {number}", NOTHING, NOTHING)
    texts = []
    while (returned := store.history.undo()) is not None:
        texts.append(returned.text)
    assert 4 <= len(texts) <= 6
    assert texts[0] == "step 11"


def kept_bytes(store):
    folder = store.path / "labels/masklets/napari-sam2/history"
    return sum(one.stat().st_size for one in folder.rglob("*") if "c." in one.name)


def test_what_undo_keeps_stays_small_while_somebody_works(
    new_store, fake_run, monkeypatch
):
    """Twelve runs over the same frames, and nobody opens the session again."""
    limit = 20_000
    monkeypatch.setattr(history, "MAX_BYTES", limit)
    measured = []
    measure = history.KeptChunks.byte_count
    monkeypatch.setattr(
        history.KeptChunks,
        "byte_count",
        lambda self: measured.append(self) or measure(self),
    )
    store = new_store()
    sizes = []
    for number in range(12):
        store.history.begin(f"run {number}", NOTHING, NOTHING)
        for frame in range(8):
            store.write(fake_run.result(frame, shown=[3 + 4 * (number % 2)]))
        before = kept_bytes(store)
        store.commit(fake_run.progress(8), None)
        sizes.append((before, kept_bytes(store)))
    one_run = sizes[1][0]
    assert limit / 4 < one_run < limit  # several runs fit, twelve do not
    assert max(after for _, after in sizes) < limit + one_run
    assert store.history.undo().text == "run 11"
    assert measured == []  # counted while chunks are kept, not by reading folders
