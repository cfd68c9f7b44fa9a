"""Sessions on disk: the document, its masks, provenance, the folder."""
