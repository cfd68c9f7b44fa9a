"""Everything that the window asks of the network and the disk.

Nothing of napari or Qt: each verb is a generator that runs in the worker thread, one
step at a time, and yields what the window must know. torch is imported when the first
verb needs it.
"""

from napari_sam2.engine.edits.edits import Claim, PendingAnswers
from napari_sam2.engine.engine import TrackingEngine
from napari_sam2.engine.events import (
    ONLY_BACKWARD,
    ONLY_FORWARD,
    BookReturned,
    Busy,
    Compared,
    DirectionsCompared,
    Event,
    Followed,
    FrameChanged,
    FramesChanged,
    Hovered,
    ModelReady,
    Pictured,
    Remark,
    Request,
    Said,
    Scored,
    ScoresRead,
    SessionRead,
    StoreReady,
    Tiles,
    Together,
    TracksMade,
    Warmed,
)
from napari_sam2.engine.orders import Order, corrects, holds

__all__ = [
    "ONLY_BACKWARD",
    "ONLY_FORWARD",
    "BookReturned",
    "Busy",
    "Claim",
    "Compared",
    "DirectionsCompared",
    "Event",
    "Followed",
    "FrameChanged",
    "FramesChanged",
    "Hovered",
    "ModelReady",
    "Order",
    "PendingAnswers",
    "Pictured",
    "Remark",
    "Request",
    "Said",
    "Scored",
    "ScoresRead",
    "SessionRead",
    "StoreReady",
    "Tiles",
    "Together",
    "TrackingEngine",
    "TracksMade",
    "Warmed",
    "corrects",
    "holds",
]
