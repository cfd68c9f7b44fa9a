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
