"""Small OME-Zarr images as other programs write them."""


def write_labels(group, labels):
    image = group.create_group("nuclei")
    image.attrs["ome"] = {**multiscales("yx", "nuclei"), "image-label": {}}
    image.create_array("0", data=labels, dimension_names=("y", "x"))


def multiscales(axes, name):
    kinds = {"t": "time", "c": "channel"}
    scale = {"type": "scale", "scale": [1.0] * len(axes)}
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": [
                    {"name": one, "type": kinds.get(one, "space")} for one in axes
                ],
                "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
            }
        ],
    }
