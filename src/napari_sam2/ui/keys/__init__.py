"""Keys and gestures: the table, its bindings, the sheet."""
