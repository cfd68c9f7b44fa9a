"""A session is opened with the movie that it was made of, which its pixels tell."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.engine.engine_steps import Table, click, movie_input, of_kind

from napari_sam2.engine import Said
from napari_sam2.errors import OtherMovieError, OutputError
from napari_sam2.io.sessions.document import SessionDocument


@pytest.fixture
def saved(table):
    """A session of one click, closed."""
    table.say(click(1, 0, (30, 40)))
    list(table.engine.save(table.request, SessionDocument(book=table.book.state)))
    table.engine.close()
    return table


def opened_with(saved, array, **options):
    """Open it with a movie; return what was said."""
    request = replace(saved.request, image=movie_input(array))
    other = Table(request, len(array))
    try:
        (read,) = other.engine.read_session(request.folder)
        events = list(other.engine.adopt(request, read.document.book, **options))
        assert other.store is not None
    finally:
        other.engine.close()
    return [event.text for event in of_kind(Said, events)]


def test_equal_pixels_are_the_same_movie(saved, stack):
    assert opened_with(saved, stack.copy()) == []


@pytest.mark.parametrize("frame", [0, -1])
def test_another_movie_of_the_same_shape_is_refused(saved, stack, frame):
    other = stack.copy()
    other[frame] = other[frame][::-1]
    with pytest.raises(OutputError, match="another movie: frame"):
        opened_with(saved, other)
    # Nothing was lost.
    assert opened_with(saved, stack) == []


def test_who_knows_better_goes_on_with_the_changed_movie(saved, stack):
    other = np.ascontiguousarray(stack[::-1])
    with pytest.raises(OtherMovieError, match="another movie: frame"):
        opened_with(saved, other)
    assert opened_with(saved, other, accepts_movie=True) == []
    assert opened_with(saved, other) == []  # it is theirs from now on


def test_a_session_of_an_earlier_version_says_so_once(saved, stack):
    file = saved.request.folder / "labels/masklets/zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["napari-sam2"]["provenance"]["fingerprint"] = None
    file.write_text(json.dumps(document))
    (told,) = opened_with(saved, stack)
    assert "before movies were known by their pixels" in told
    assert opened_with(saved, stack) == []
    with pytest.raises(OutputError, match="another movie"):
        opened_with(saved, np.ascontiguousarray(stack[::-1]))


def test_clicks_are_answered_while_frames_are_read_to_know_the_movie(table):
    table.say(click(1, 0, (30, 40)))
    document = SessionDocument(book=table.book.state)
    steps = list(table.engine.save(table.request, document))
    assert 2 <= len(steps) <= 8  # between two frames other jobs take their turn
    assert list(table.engine.save(table.request, document)) == []
