"""The book: verbs, what they make stale, and that each is undone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.session.heard_book import HeardBook

from napari_sam2.errors import InputError
from napari_sam2.prompts import BoxPrompt, FramePrompt, MaskPrompt, PointPrompt
from napari_sam2.session.book.changes import differs, lives, vanished
from napari_sam2.session.book.edits import check_shown
from napari_sam2.session.book.prompt_book import PromptBook, changes
from napari_sam2.session.book.state import BookState, FrameFlag, ObjectState
from napari_sam2.session.planning.frame_set import NO_FRAMES, FrameSet

FRAMES = 20


def click(object_id, frame, y=1.0):
    return FramePrompt(object_id, frame, points=(PointPrompt(y, 1),))


def between(first, last):
    return FrameSet.between(first, last)


def book_of(*prompts):
    """A book in which these prompts were said and tracked."""
    book = PromptBook(FRAMES)
    book.set_prompts(prompts, "begin")
    for thing in book.state.objects:
        book.mark_tracked({thing.object_id: between(0, FRAMES)})
    return book


def stale(book, object_id):
    return set(book.state[object_id].stale)


# --- Divisions


def mask_of(object_id, frame):
    return FramePrompt(object_id, frame, mask=MaskPrompt(np.ones((2, 2), bool)))


def test_a_mother_ends_and_her_later_prompts_are_her_daughters():
    book = book_of(click(1, 2), click(1, 9), click(2, 7))
    edit = book.divide(1, 2, mask_of(3, 6))
    assert edit.text == "division of object 1"
    state = book.state
    assert {one: state[one].anchors for one in (1, 2, 3)} == {
        1: (2,),
        2: (7,),
        3: (6, 9),
    }
    assert (state[2].parent, state[3].parent) == (1, 1)
    assert not stale(book, 1) & set(range(6, FRAMES))
    assert stale(book, 3) >= set(range(10, FRAMES))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (2, "not prompted before frame 2"),
        (25, "outside"),
        (5, "is locked from frame 5"),
    ],
)
def test_divisions_that_cannot_be_are_refused(frame, said):
    book = book_of(click(1, 2), click(2, 9))
    book.flag(FrameFlag.LOCKED, [1], between(5, 6))
    with pytest.raises(InputError, match=said):
        book.divide(1, 2, mask_of(3, frame))
    with pytest.raises(InputError, match="object 4 does not exist"):
        book.divide(1, 4, mask_of(3, 12))


def test_a_mother_divides_once():
    book = book_of(click(1, 2), click(2, 7))
    book.divide(1, 2, mask_of(3, 6))
    with pytest.raises(InputError, match="has daughters already"):
        book.divide(1, 2, mask_of(4, 8))


# --- Verbs and their texts


def test_texts_name_what_was_done():
    book = PromptBook(FRAMES)
    box = FramePrompt(3, 2, box=BoxPrompt(0, 0, 2, 2))
    mask = FramePrompt(3, 4, mask=MaskPrompt(np.ones((2, 2), bool)))
    texts = [
        book.set_prompt(click(3, 17)).text,
        book.set_prompt(box).text,
        book.set_prompt(mask).text,
        book.add_object().text,
        book.merge(3, 4).text,
    ]
    assert texts == [
        "click on object 3, frame 17",
        "box on object 3, frame 2",
        "mask on object 3, frame 4",
        "add object 4",
        "merge object 4 into object 3",
    ]


def test_what_changes_nothing_is_no_step():
    seen = []
    book = HeardBook(FRAMES, lambda _before, after: seen.append(after))
    mask = np.eye(3, dtype=bool)
    book.set_prompts([click(1, 4), FramePrompt(1, 9, mask=MaskPrompt(mask))], "begin")
    seen.clear()
    assert book.set_prompt(click(1, 4)) is None
    assert book.set_prompt(FramePrompt(1, 9, mask=MaskPrompt(mask.copy()))) is None
    assert book.rename(1, "") is None
    assert book.clear_prompt(1, 5) is None
    assert book.flag(FrameFlag.LOCKED, [1], between(0, 3), is_on=False) is None
    assert book.set_hidden([1], False) is None
    assert book.flag(FrameFlag.LOCKED, [1], between(FRAMES, FRAMES + 5)) is None
    book.mark_tracked({1: between(4, 4)})
    assert seen == []


def test_a_change_is_told_with_both_states():
    seen = []
    book = HeardBook(FRAMES, lambda before, after: seen.append((before, after)))
    edit = book.set_prompt(click(1, 4))
    book.replace(edit.before)
    assert seen == [(edit.before, edit.after), (edit.after, edit.before)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda book: book.clear_prompt(9, 0), "object 9 does not exist"),
        (lambda book: book.rename(9, "x"), "object 9 does not exist"),
        (lambda book: book.add_object(object_id=1), "object 1 cannot be added"),
        (lambda book: book.add_object(parent=9), "object 9 does not exist"),
        (lambda book: book.set_prompt(click(1, FRAMES)), "last frame is 19"),
        (lambda book: book.set_prompt(click(1, 3)), "locked on frame 3"),
        (lambda book: book.clear_prompt(1, 2), "locked on frame 2"),
        (lambda book: book.set_parent(1, 1), "its own ancestor"),
        (lambda book: book.set_parent(1, 3), "its own ancestor"),
        (lambda book: book.set_prompt(click(1, 12)), "daughter of it begins"),
        (lambda book: book.set_prompt(click(2, 1)), "daughter of it begins"),
        (lambda book: book.merge(1, 1), "into itself"),
        (lambda book: book.merge(2, 1), "is locked on 2 frames"),
        (lambda book: book.remove_objects([2, 7]), "object 7 does not exist"),
    ],
)
def test_bad_edits_are_refused_and_change_nothing(spoil, message):
    book = book_of(click(1, 2), click(2, 12), click(3, 16))
    book.set_parent(2, 1)
    book.set_parent(3, 2)
    book.flag(FrameFlag.LOCKED, [1], between(2, 3))
    before = book.state
    with pytest.raises(InputError, match=message):
        spoil(book)
    assert book.state is before


# --- What an edit makes stale


def test_a_new_anchor_makes_its_two_gaps_stale():
    book = book_of(click(1, 4), click(1, 8), click(1, 14))
    book.set_prompt(click(1, 11))
    assert stale(book, 1) == {9, 10, 12, 13}


def test_a_changed_anchor_makes_its_two_gaps_stale():
    book = book_of(click(1, 4), click(1, 8))
    book.set_prompt(click(1, 4, y=2))
    assert stale(book, 1) == {0, 1, 2, 3, 5, 6, 7}
    book.mark_tracked({1: between(0, 6)})
    assert stale(book, 1) == {7}


def test_a_removed_anchor_leaves_one_stale_gap_and_its_frame():
    book = book_of(click(1, 4), click(1, 8), click(1, 14))
    book.clear_prompt(1, 8)
    assert stale(book, 1) == set(range(5, 14))
    book.clear_prompt(1, 4)
    assert stale(book, 1) == set(range(14))


def test_locked_frames_wait_until_they_are_unlocked():
    book = book_of(click(1, 4))
    book.flag(FrameFlag.LOCKED, [1], between(6, 7))
    book.set_prompt(click(1, 9))
    assert stale(book, 1) == {5, 8, *range(10, FRAMES)}
    book.mark_tracked({1: between(0, FRAMES)})
    book.flag(FrameFlag.LOCKED, [1], between(0, 6), is_on=False)
    assert stale(book, 1) == {6}


def test_a_division_ends_the_mother_and_moves_with_the_daughter():
    book = book_of(click(1, 4), click(2, 10), click(2, 15))
    edit = book.set_parent(2, 1)
    assert vanished(edit.before, edit.after, FRAMES) == {
        1: between(10, 19),
        2: between(0, 9),
    }
    assert stale(book, 1) == stale(book, 2) == set()
    edit = book.clear_prompt(2, 10)
    assert stale(book, 1) == {10, 11, 12, 13, 14}
    assert stale(book, 2) == set()
    assert vanished(edit.before, edit.after, FRAMES) == {2: between(10, 14)}


def test_removing_a_mother_frees_her_daughters():
    book = book_of(click(1, 4), click(2, 10))
    book.set_parent(2, 1)
    book.remove_objects([1])
    assert book.state[2].parent is None
    assert stale(book, 2) == set(range(10))


def test_a_merge_takes_prompts_where_there_are_none_and_adopts_daughters():
    book = book_of(click(1, 2), click(2, 2, y=5), click(2, 6), click(3, 12))
    book.set_parent(3, 2)
    book.merge(1, 2)
    assert [thing.object_id for thing in book.state.objects] == [1, 3]
    assert book.state[1].anchors == (2, 6)
    assert book.state[1].prompt_at(2).points == (PointPrompt(1.0, 1),)
    assert book.state[3].parent == 1
    assert stale(book, 1) == {3, 4, 5, 7, 8, 9, 10, 11}


def test_a_daughter_can_be_merged_into_her_mother():
    book = book_of(click(1, 2), click(2, 6))
    book.set_parent(2, 1)
    book.merge(1, 2)
    assert book.state[1].parent is None
    assert book.state[1].anchors == (2, 6)


def test_a_duplicate_has_a_new_id_and_is_all_stale():
    book = book_of(click(1, 2), click(7, 3))
    book.duplicate(1)
    assert book.state[8].anchors == (2,)
    assert stale(book, 8) == set(range(FRAMES)) - {2}
    assert stale(book, 1) == set()


def test_a_late_note_of_an_object_that_is_gone_is_passed_over():
    book = book_of(click(1, 2))
    book.remove_objects([1])
    book.mark_tracked({1: between(0, 5)})
    assert 1 not in book.state


# --- Any sequence of edits

IDS, ANY_FRAME = st.integers(1, 4), st.integers(0, FRAMES - 1)
EDITS = st.one_of(
    st.tuples(st.just("set_prompt"), st.builds(click, IDS, ANY_FRAME)),
    st.tuples(st.just("clear_prompt"), IDS, ANY_FRAME),
    st.tuples(st.just("set_parent"), IDS, st.none() | IDS),
    st.tuples(st.just("merge"), IDS, IDS),
    st.tuples(st.just("duplicate"), IDS),
    st.tuples(st.just("remove_objects"), st.tuples(IDS)),
    st.tuples(
        st.just("flag"),
        st.sampled_from(FrameFlag),
        st.sets(IDS),
        st.builds(between, ANY_FRAME, ANY_FRAME),
        st.booleans(),
    ),
)


def run_all(book, edits):
    """Apply edits, passing over what the book refuses."""
    done = []
    for verb, *arguments in edits:
        options = {"is_on": arguments.pop()} if verb == "flag" else {}
        try:
            edit = getattr(book, verb)(*arguments, **options)
        except InputError:
            continue
        if edit is not None:
            done.append(edit)
    return done


def equal(one, other):
    return len(one.objects) == len(other.objects) and not any(
        differs(*pair) for pair in zip(one.objects, other.objects, strict=True)
    )


@given(st.lists(EDITS, max_size=25))
@settings(deadline=None)
def test_undoing_all_edits_and_doing_them_again_changes_nothing(edits):
    book = book_of(click(1, 5), click(2, 9))
    first = book.state
    done = run_all(book, edits)
    last = book.state
    for edit in reversed(done):
        assert book.state is edit.after
        book.replace(edit.before)
    assert book.state is first
    for edit in done:
        book.replace(edit.after)
    assert equal(book.state, last)


@given(st.lists(EDITS, max_size=25))
@settings(deadline=None)
def test_stale_frames_are_alive_unlocked_and_no_anchors(edits):
    book = PromptBook(FRAMES)
    for done in [run_all(book, [edit]) for edit in edits]:
        alive = lives(book.state, FRAMES)
        for thing in book.state.objects if done else ():
            assert not thing.stale & thing.locked
            assert not thing.stale & FrameSet.of(thing.anchors)
            if thing.stale:
                life = alive[thing.object_id]
                assert not thing.stale - between(life.first, life.last)


@given(st.lists(EDITS, max_size=15), EDITS)
@settings(deadline=None)
def test_frames_that_are_not_stale_keep_the_anchors_that_bound_them(edits, last):
    """What is neither stale nor waiting would be tracked exactly as before."""
    book = PromptBook(FRAMES)
    run_all(book, edits)
    for thing in book.state.objects:
        book.mark_tracked({thing.object_id: between(0, FRAMES)})
    before = book.state
    run_all(book, [last])
    alive, were = lives(book.state, FRAMES), lives(before, FRAMES)
    for object_id in alive.keys() & were.keys():
        thing, was = book.state[object_id], before[object_id]
        kept = (
            between(alive[object_id].first, alive[object_id].last)
            - thing.stale
            - thing.waiting
            - FrameSet.of(thing.anchors)
        )
        for frame in kept:
            assert bounds(thing, frame) == bounds(was, frame)


def bounds(thing, frame):
    """Prompts (by identity) next to a frame, before it and after it."""
    earlier = [one for one in thing.prompts if one.frame_index < frame]
    later = [one for one in thing.prompts if one.frame_index > frame]
    return earlier[-1:], later[:1], [] if earlier else ["backward"]


def test_changes_tell_views_what_to_do():
    book = book_of(click(1, 4), click(2, 3))
    before = book.state
    book.set_prompt(click(1, 9))
    book.clear_prompt(1, 4)
    book.rename(1, "cell")
    book.remove_objects([2])
    book.set_prompt(click(5, 7))
    found = changes(before, book.state)
    assert found.prompted == {1: (9,), 5: (7,)}
    assert found.cleared == {1: (4,)}
    assert found.added == {5}
    assert found.removed == {2}
    assert found.others == {1}
    assert not changes(before, before)


def test_a_book_opens_with_a_state():
    state = BookState((ObjectState(4, prompts=(click(4, 2),)),))
    book = PromptBook(FRAMES, state)
    assert book.add_object().after.objects[1].object_id == 5
    assert book.state[4].stale == NO_FRAMES


def refusal(object_id, frame):
    return FramePrompt(object_id, frame, points=(PointPrompt(1, 1, positive=False),))


def test_an_object_does_not_begin_with_a_negative_click():
    book = book_of(click(1, 4))
    before = book.state
    absent = FramePrompt(2, 3, mask=MaskPrompt(np.zeros((2, 2), bool)))
    for said in ([refusal(2, 4)], [absent, refusal(2, 4)]):
        book.set_prompts(said, "click")
        with pytest.raises(InputError, match=r"object 2, frame 4.*add a positive one"):
            check_shown(before, book.state)
        book.replace(before)
    # What is seen on other frames can be corrected.
    book.set_prompts([refusal(1, 7), refusal(1, 2)], "clicks")
    check_shown(before, book.state)


def test_a_book_that_begins_with_negative_clicks_can_be_mended():
    book = PromptBook(FRAMES)
    book.replace(BookState((ObjectState(1, prompts=(refusal(1, 4),)),)))
    edit = book.rename(1, "cell")
    check_shown(edit.before, edit.after)
    edit = book.set_prompt(click(1, 4))
    check_shown(edit.before, edit.after)


def test_a_family_whose_mother_is_not_here_begins_with_the_daughter():
    """A session that was edited, or saved without her, is opened all the same."""
    book = BookState((ObjectState(3, "", 1), ObjectState(7, "", 3)))
    assert book.founder_of(7).object_id == 3
