"""Where keys lead that go from object to object, and from anchor to anchor. Pure."""

from __future__ import annotations

from napari_sam2.session.state import BookState


def neighbour_object(book: BookState, object_id: int | None, step: int) -> int | None:
    """Return the object before (-1) or after (+1) another by id, around the ends.

    Parameters
    ----------
    book
        All objects; hidden ones are passed over.
    object_id
        Where to start; it need not be in the book. None: at the end.
    step
        -1 or +1.

    Returns
    -------
    int or None
        None if there is no object to go to.
    """
    ids = [one.object_id for one in book.objects if not one.is_hidden]
    if not ids:
        return None
    if object_id is None:
        return ids[0] if step > 0 else ids[-1]
    if step > 0:
        return next((one for one in ids if one > object_id), ids[0])
    return next((one for one in reversed(ids) if one < object_id), ids[-1])


def neighbour_anchor(
    book: BookState, object_id: int | None, frame_index: int, step: int
) -> int | None:
    """Return the object's nearest anchor before (-1) or after (+1) a frame.

    Without an object, anchors of all of them count. None if there is none that way.
    """
    anchors = {
        anchor
        for one in book.objects
        if object_id is None or one.object_id == object_id
        for anchor in one.anchors
    }
    if step > 0:
        return min((one for one in anchors if one > frame_index), default=None)
    return max((one for one in anchors if one < frame_index), default=None)
