from napari_sam2.prompts import FramePrompt, PointPrompt
from napari_sam2.session.state import BookState, ObjectState
from napari_sam2.ui.tool_steps import neighbour_anchor, neighbour_object


def thing(object_id, *frames, is_hidden=False):
    prompts = tuple(
        FramePrompt(object_id, frame, (PointPrompt(1, 1),)) for frame in frames
    )
    return ObjectState(object_id, prompts=prompts, is_hidden=is_hidden)


BOOK = BookState((thing(1, 4), thing(3, 0, 8), thing(5, is_hidden=True), thing(7)))


def test_objects_follow_each_other_around_the_ends():
    assert [neighbour_object(BOOK, one, 1) for one in (1, 2, 3, 7, None)] == [
        3,
        3,
        7,
        1,
        1,
    ]
    assert [neighbour_object(BOOK, one, -1) for one in (7, 3, 1, None)] == [3, 1, 7, 7]
    assert neighbour_object(BookState(), 1, 1) is None


def test_anchors_of_an_object_or_of_all():
    assert neighbour_anchor(BOOK, 3, 4, 1) == 8
    assert neighbour_anchor(BOOK, 3, 4, -1) == 0
    assert neighbour_anchor(BOOK, 3, 8, 1) is None
    assert neighbour_anchor(BOOK, None, 8, -1) == 4
    assert neighbour_anchor(BOOK, 7, 4, 1) is None
