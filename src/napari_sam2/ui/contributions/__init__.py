"""What the plugin contributes to napari besides its docks."""
