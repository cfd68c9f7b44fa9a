"""What a resume does about a run that is not what was written: go back, or refuse.

A memory bank, or a frame on the way to it, cannot be computed alone: all that follows
from it would be wrong. The run goes on from the last state that is known to be right:
that of the commit before the last one, or else the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_sam2.errors import OutputError
from napari_sam2.io.label_store.faults import Fault, anchor_faults, frame_faults
from napari_sam2.io.label_store.files import LabelFiles

SHOWN = 5


def mend(files: LabelFiles, *, is_merge: bool) -> str | None:
    """Let an unfinished run go back if anything of it is damaged.

    Where anchors are, it begins again. Those of a label group to which objects are
    added are left: a session says which are damaged, and predicts them anew.

    Parameters
    ----------
    is_merge
        Whether the label group holds masklets that the run did not make.

    Returns
    -------
    str or None
        What people should be told; None if all is as it was written.

    Raises
    ------
    OutputError
        If masklets are damaged that the run cannot make again.
    """
    if files.is_complete:
        return None
    lost = files.journal.fault(files.frames.whole.count)
    faults = list(frame_faults(files.frames))
    if faults and is_merge:
        raise OutputError(
            f"{files.folder}: {_named(faults)} damaged; the objects that were there "
            "before this run cannot be computed again by it: restore the folder from a "
            "copy, or track all of them anew into another one"
        )
    unseen = [] if is_merge else list(anchor_faults(files.anchors, files.journal))
    if lost is None and not faults and not unseen:
        return None
    goes_on = files.go_back(
        [fault.frame_index for fault in faults if fault.frame_index is not None],
        to_anchors=bool(unseen),
    )
    what = "what was seen on prompted frames is"
    if not unseen:
        what = f"{lost} is" if lost else _named(faults)
    again = "frames since the commit before are" if goes_on else "all frames are"
    return f"{files.folder}: {what} damaged; {again} computed again"


def refuse_damaged(files: LabelFiles) -> None:
    """Refuse a finished run of which frames are damaged: nothing is made again of it.

    Since then people may have corrected it, which would be lost.

    Raises
    ------
    OutputError
        Naming the frames.
    """
    faults = list(frame_faults(files.frames))
    if faults:
        raise OutputError(
            f"{files.folder}: was finished, but {_named(faults)} damaged since "
            f"({faults[0].text}); check the disk, and restore it from a copy, or "
            "remove this folder and run it again"
        )


def _named(faults: Sequence[Fault]) -> str:
    numbers = [str(fault.frame_index) for fault in faults]
    more = "" if len(numbers) <= SHOWN else f" and {len(numbers) - SHOWN} more"
    listed = ", ".join(numbers[:SHOWN])
    if len(numbers) == 1:
        return f"frame {listed} is"
    return f"frames {listed}{more} are"
