"""Files of movies as stacks with all their axes: TIFF, zarr, folders, films."""
