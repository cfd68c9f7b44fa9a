"""The dock *SAM 2 Tracker*: puts panels, layers, tool and controller together."""
