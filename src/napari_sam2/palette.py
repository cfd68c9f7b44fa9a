"""Colours of objects, the same in the window and in the files it writes."""

from __future__ import annotations

_HEX = (
    "ff8e0d 9e1dff 0ddfff 0def0d ef0d7e 5e6ecf 8eae5e ff0d2d "
    "ff7eff ef8e7e cfdf0d 1def8e ffcf6e 0dbe9e 1d5eff 4dae0d "
    "ae4d8e dfaeff 0daeff be4d1d ff0def ae7e3d ef4d5e 8e4dcf "
    "ffcf0d cf0d9e ae9e0d ff8ebe aedf5e 2dae5e ff5e1d 8eef2d "
    "ff9e5e 8edf9e 2ddf4d cf4dff cf8e1d be6ecf be4d6e 8e9eef "
    "ef5eae beae5e ae5e3d ae8eff 0d7eff cf3dcf 7e4dff ff6e4d"
)
"""Each is as far as possible, as eyes tell, from all before it, and none is grey: the
first six differ by 68 units of CIELAB, the first 24 by 30, all by 20, from grey by 42;
their lightness of 48 to 86 is seen on dark and on light pictures."""

PALETTE = tuple(
    (int(one[:2], 16), int(one[2:4], 16), int(one[4:], 16)) for one in _HEX.split()
)


def object_rgb(object_id: int) -> tuple[int, int, int]:
    """Return the colour of an object, 0…255: always the same for an id.

    >>> object_rgb(1)
    (255, 142, 13)
    """
    return PALETTE[(object_id - 1) % len(PALETTE)]
