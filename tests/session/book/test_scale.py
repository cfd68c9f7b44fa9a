"""An edit costs what it changes: calls are counted, with few and with many objects."""

import sys

import pytest

from napari_sam2.engine.orders import corrects, holds
from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.book.prompt_book import PromptBook
from napari_sam2.session.book.state import BookState, FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import FrameSet

FRAMES = 20
WHOLE = FrameSet.between(0, FRAMES - 1)
FEW, MANY = 20, 400


def click(object_id, frame, y=1.0):
    return FramePrompt(object_id, frame, points=(PointPrompt(y, 1),))


def book_of(count):
    """A book of clicked objects; every tenth is the mother of the next one."""
    states = [
        ObjectState(
            number,
            parent=number - 1 if number % 10 == 1 and number > 1 else None,
            prompts=(click(number, 2 if number % 10 == 0 else 9),),
        )
        for number in range(1, count + 1)
    ]
    return PromptBook(FRAMES, BookState(tuple(states)))


def calls_of(run):
    """Return how often functions of ours were entered."""
    count = 0

    def note(frame, event, _argument):
        nonlocal count
        code = frame.f_code
        is_ours = "napari_sam2" in code.co_filename and code.co_name[0] != "<"
        count += event == "call" and is_ours

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


VERBS = {
    "click": lambda book: book.set_prompt(click(5, 9, y=2.0)),
    "new object": lambda book: book.set_prompt(click(book.state.next_id, 9)),
    "clear": lambda book: book.clear_prompt(5, 9),
    "rename": lambda book: book.rename(5, "mother"),
    "parent": lambda book: book.set_parent(5, 10),
    "merge": lambda book: book.merge(5, 6),
    "remove": lambda book: book.remove_objects([10]),
    "lock": lambda book: book.flag(FrameFlag.LOCKED, [5], WHOLE),
    "tracked": lambda book: book.mark_tracked({5: WHOLE}),
}


@pytest.mark.parametrize("name", VERBS)
def test_an_edit_of_one_object_calls_as_much_whatever_else_there_is(name):
    counts = [calls_of(lambda: VERBS[name](book_of(FEW)))]  # what is imported late
    for count in (FEW, MANY):
        book = book_of(count)
        counts.append(calls_of(lambda book=book: VERBS[name](book)))
    assert counts[1] == counts[2]


def test_all_objects_are_locked_by_one_edit_in_proportion_to_their_number():
    counts = []
    for count in (FEW, 2 * FEW):
        book = book_of(count)
        ids = range(1, count + 1)
        counts.append(
            calls_of(lambda b=book, i=ids: b.flag(FrameFlag.LOCKED, i, WHOLE))
        )
        assert all(state.locked == WHOLE for state in book.state.objects)
    assert counts[1] <= 2.2 * counts[0]


def test_what_follows_from_an_edit_is_found_without_looking_at_other_objects():
    counts = []
    for count in (FEW, MANY):
        book = book_of(count)
        planned = book.state
        edit = book.set_prompt(click(5, 9, y=2.0))

        def follow(edit=edit, planned=planned, book=book):
            assert edit.changes.prompted == {5: (9,)}
            assert corrects(edit)
            assert not holds(planned, book.state, FRAMES)

        counts.append(calls_of(follow))
    assert counts[0] == counts[1]
