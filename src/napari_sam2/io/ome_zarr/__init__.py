"""OME-Zarr: groups, metadata, pyramids, images, lists of labels."""
