"""The steps of a store, kept on disk for undo."""
