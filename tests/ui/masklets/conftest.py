"""How napari asks for what it draws."""

import pytest
from napari.settings import get_settings


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def slicing(request):
    experimental = get_settings().experimental
    before, experimental.async_ = experimental.async_, request.param
    yield
    experimental.async_ = before
