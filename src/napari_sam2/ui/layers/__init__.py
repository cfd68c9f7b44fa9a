"""What themes share about napari's layers: colours, placement, pixels."""
