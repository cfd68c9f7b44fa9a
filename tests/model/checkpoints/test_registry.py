from urllib.parse import urlparse

import pytest

from napari_sam2.errors import ModelError
from napari_sam2.model.checkpoints.registry import DEFAULT_MODEL, REGISTRY, find
from napari_sam2.model.config import CONFIGS

OFFICIAL = [entry for entry in REGISTRY.values() if not entry.is_bundled]


def test_the_eight_official_files_are_known():
    assert len(OFFICIAL) == 8
    assert len({entry.sha256 for entry in OFFICIAL}) == 8


@pytest.mark.parametrize("entry", OFFICIAL, ids=lambda entry: entry.name)
def test_an_official_file_names_its_origin_hash_and_licence(entry):
    address = urlparse(entry.url)
    assert address.scheme == "https"
    assert address.path.endswith("/" + entry.file)
    assert len(entry.sha256) == 64
    assert set(entry.sha256) <= set("0123456789abcdef")
    assert entry.licence == "Apache-2.0"


@pytest.mark.parametrize("entry", OFFICIAL, ids=lambda entry: entry.name)
def test_versions_lie_in_their_own_folders(entry):
    folder = "092824" if entry.name.startswith("sam2.1_") else "072824"
    assert f"/{folder}/" in entry.url


def test_only_files_of_a_single_source_may_have_another_hash():
    unconfirmed = {entry.name for entry in OFFICIAL if not entry.confirmed}
    assert unconfirmed == {"sam2_small", "sam2_base_plus", "sam2_large"}
    assert all((entry.bytes is not None) == entry.confirmed for entry in OFFICIAL)


@pytest.mark.parametrize("name", REGISTRY)
def test_each_name_is_also_a_variant_of_the_network(name):
    assert CONFIGS[name].name == name


def test_the_default_model_needs_no_network():
    assert REGISTRY[DEFAULT_MODEL].is_bundled


def test_a_model_is_found_by_the_name_of_its_file():
    assert find("sam2.1_hiera_large.pt").name == "sam2.1_large"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ModelError, match=r"'sam3'.*nano.*sam2\.1_tiny.*path"):
        find("sam3")
