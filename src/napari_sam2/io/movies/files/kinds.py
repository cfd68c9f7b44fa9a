"""What to do about files of programs that are not read here."""

from __future__ import annotations

from pathlib import Path

from napari_sam2.errors import InputError

_HDF5 = "save what it holds as TIFF or OME-Zarr; ilastik's export has a list of formats"
_ROIS = (
    "make a label image of the ROIs in Fiji (LabelMap of BioVoxxel or MorphoLibJ) and "
    "save it as TIFF"
)
_BY_FIJI = "open it in Fiji and save it as TIFF"
_UNPACKED = "unpack it and give what it holds"

REMEDIES = {
    **dict.fromkeys((".h5", ".hdf5", ".ilp", ".ims", ".nc", ".mat"), _HDF5),
    **dict.fromkeys((".roi", ".rois"), _ROIS),
    **dict.fromkeys((".gif", ".webp", ".jp2", ".jxl", ".dv", ".oib", ".oif"), _BY_FIJI),
    **dict.fromkeys((".zvi", ".svs", ".qptiff", ".flex", ".klb", ".pic"), _BY_FIJI),
    **dict.fromkeys((".oir", ".vsi", ".dcm", ".mha", ".nrrd", ".mrc"), _BY_FIJI),
    **dict.fromkeys((".nii", ".fits", ".sld", ".ndpi", ".lof", ".pgm"), _BY_FIJI),
    **dict.fromkeys((".gz", ".tar", ".7z", ".rar", ".ozx"), _UNPACKED),
    ".zip": f"{_UNPACKED}; if these are ROIs of Fiji, {_ROIS}",
    ".npz": "save the array with numpy.save, as .npy",
    ".nd": "give the folder of its images",
    ".txt": "save points as napari does, as .csv",
    **dict.fromkeys((".xlsx", ".ods", ".tsv"), "save the table as .csv"),
    ".xml": "tracks of TrackMate are read by napari-sam2 import; of annotations give "
    "label images",
    ".geojson": "of annotations give label images, which QuPath exports",
}
"""By suffix, how to get what is in a file."""

_SMALL_PICTURES = (".vsi", ".nef", ".nrw", ".cr2", ".arw", ".dng", ".pef")
"""TIFFs by their first bytes, which hold small pictures of what lies in other files, or
is compressed in a way of its own."""


def refuse_small_pictures(path: Path) -> None:
    """Refuse files that look like TIFFs and hold no more than a preview.

    Raises
    ------
    InputError
        With what to do instead.
    """
    if path.suffix.lower() in _SMALL_PICTURES:
        raise InputError(f"{path}: what is read of it is a small picture; {_BY_FIJI}")


def unknown_kind(path: Path, known: str) -> InputError:
    """Return the error of a file that no reader is for.

    Parameters
    ----------
    known
        What may be given in its place, for suffixes of which no more is known.
    """
    remedy = REMEDIES.get(path.suffix.lower(), known)
    return InputError(f"{path} is of an unknown kind: {remedy}")
