"""Somebody paints, or tracks, until the process is killed; for `test_session_killed`.

``MODEL STACK FOLDER paint|track|repair``: says on stdout what has been done, by lines.
"""

import sys
from pathlib import Path

import numpy as np
from tests.engine.engine_steps import Table, click, movie_input

from napari_sam2.engine import Request
from napari_sam2.prompts import FramePrompt, MaskPrompt
from napari_sam2.session.session import FrameDone


def square(frame_index, shape):
    """What is painted on a frame."""
    mask = np.zeros(shape, bool)
    mask[5 : 15 + frame_index, 50:60] = True
    return mask


def main(model, stack, folder, what):
    array = np.load(stack)
    table = Table(Request(movie_input(array), model, Path(folder)), len(array))
    table.say(click(1, 0, (30, 40)))
    print("clicked", flush=True)  # noqa: T201
    if what == "paint":
        for frame_index in range(len(array)):
            mask = MaskPrompt(square(frame_index, array.shape[1:]))
            table.say(FramePrompt(2, frame_index, mask=mask))
            print(frame_index, flush=True)  # noqa: T201
    order = {}
    if what == "repair":
        table.track()
        print("tracked", flush=True)  # noqa: T201
        table.say(click(1, 4, (60, 60)))
        order = {"is_repair": True, "joins_step": True}
    for event in table.run(**order):
        if isinstance(event, FrameDone) and event.written:
            print(event.frame_index, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
