"""Movies that are run one after the other, or by workers of dask."""
