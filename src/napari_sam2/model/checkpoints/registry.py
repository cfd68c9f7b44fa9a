"""The models that a name stands for: eight official files and the bundled one.

Nothing here opens a file or a socket; `napari_sam2.model.checkpoints.download` does.
Sizes and hashes were collected from public sources that published them independently of
each other. Where only one table names a hash, it is marked as not confirmed, and a
person may accept another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_sam2.errors import ModelError

_URL_2_0 = "https://dl.fbaipublicfiles.com/segment_anything_2/072824/"
_URL_2_1 = "https://dl.fbaipublicfiles.com/segment_anything_2/092824/"

DEFAULT_MODEL = "nano"
"""The bundled model: it works without a network."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One checkpoint that can be named instead of given by path.

    Attributes
    ----------
    name
        What people type; also the key of its `Sam2Config`.
    file
        File name, in the cache folder or in the package.
    url
        Where it is published; None for the bundled model.
    bytes
        Length of the file; None where no source states it.
    sha256
        Hash of the file; None for the bundled model, which the package's own
        installation record covers.
    confirmed
        True where several independent sources agree on the hash.
    licence
        SPDX expression of the weights' licence.
    """

    name: str
    file: str
    url: str | None
    bytes: int | None
    sha256: str | None
    confirmed: bool
    licence: Literal["Apache-2.0", "BSD-3-Clause AND Apache-2.0"]

    @property
    def is_bundled(self) -> bool:
        """Whether it comes with the package."""
        return self.url is None


def _official(
    name: str, file: str, length: int | None, sha256: str, *, confirmed: bool = True
) -> ModelFile:
    folder = _URL_2_1 if name.startswith("sam2.1") else _URL_2_0
    return ModelFile(name, file, folder + file, length, sha256, confirmed, "Apache-2.0")


_FILES = (
    ModelFile(
        "nano",
        "nano.safetensors",
        None,
        None,
        None,
        confirmed=True,
        licence="BSD-3-Clause AND Apache-2.0",
    ),
    _official(
        "sam2.1_tiny",
        "sam2.1_hiera_tiny.pt",
        156_008_466,
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    _official(
        "sam2.1_small",
        "sam2.1_hiera_small.pt",
        184_416_285,
        "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    ),
    _official(
        "sam2.1_base_plus",
        "sam2.1_hiera_base_plus.pt",
        323_606_802,
        "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    _official(
        "sam2.1_large",
        "sam2.1_hiera_large.pt",
        898_083_611,
        "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
    ),
    _official(
        "sam2_tiny",
        "sam2_hiera_tiny.pt",
        155_906_050,
        "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125",
    ),
    _official(
        "sam2_small",
        "sam2_hiera_small.pt",
        None,
        "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3",
        confirmed=False,
    ),
    _official(
        "sam2_base_plus",
        "sam2_hiera_base_plus.pt",
        None,
        "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071",
        confirmed=False,
    ),
    _official(
        "sam2_large",
        "sam2_hiera_large.pt",
        None,
        "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b",
        confirmed=False,
    ),
)

REGISTRY: dict[str, ModelFile] = {entry.name: entry for entry in _FILES}
"""All models by name, the bundled one first."""


def find(name: str) -> ModelFile:
    """Return the entry of a model, by its name or by the name of its file.

    Raises
    ------
    ModelError
        If no model is called so; the message lists those that are.
    """
    for entry in _FILES:
        if name in (entry.name, entry.file):
            return entry
    raise ModelError(
        f"there is no model called {name!r}: use one of {', '.join(REGISTRY)}, "
        "or the path of a .pt or .safetensors file"
    )
