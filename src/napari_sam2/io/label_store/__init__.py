"""Masklets on disk: labels, logits, scores, anchors, progress."""
