"""What all tests share: isolation from this machine, and a place for measured numbers.

Nothing of napari, Qt or zarr is imported here, because the tests of ``model``,
``tracking``, ``synthetic``, ``metrics`` and ``train`` also run where those are not
installed.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

_SCRATCH = tempfile.TemporaryDirectory(prefix="napari-sam2-tests-")

# napari reads its settings when it is imported, and writes them back: neither may touch
# those of the person who runs the tests.
os.environ["NAPARI_CONFIG"] = str(Path(_SCRATCH.name) / "napari" / "settings.yaml")
# Read by torch when it is imported, also in child processes. The number of threads
# decides the last bits of sums, and toy models are done before a second thread wakes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes says more about the machine than about the code.
settings.register_profile("napari-sam2", deadline=None)
settings.load_profile("napari-sam2")


def _modules_with_shapes() -> list[str]:
    """Return the modules of the network that state shapes with jaxtyping."""
    source = Path(__file__).parent.parent / "src"
    files = (source / "napari_sam2").rglob("*.py")
    return [
        ".".join(path.relative_to(source).with_suffix("").parts)
        for path in files
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# From here on every call in these modules has its shapes and dtypes checked.
install_import_hook(_modules_with_shapes(), "beartype.beartype")


def pytest_unconfigure() -> None:
    """Remove the scratch folder."""
    _SCRATCH.cleanup()


@pytest.fixture
def record_number(
    record_property: Callable[[str, object], None],
) -> Callable[[str, float], None]:
    """Return ``record_number(name, value)``; the log of the run ends with them all."""

    def record(name: str, value: float) -> None:
        record_property(name, float(value))

    return record


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the recorded numbers, such as the largest difference of a parity check.

    They come with the tests' reports, so also from the processes of pytest-xdist.
    """
    reports = [
        report
        for report in terminalreporter.getreports("passed")
        if report.when == "call" and report.user_properties
    ]
    if not reports:
        return
    terminalreporter.section("recorded numbers")
    for report in sorted(reports, key=lambda report: report.nodeid):
        terminalreporter.line(report.nodeid)
        for name, value in report.user_properties:
            terminalreporter.line(f"    {name:<56} {value:.6g}")


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep checkpoints that lie on this machine out of the tests, and theirs off it."""
    monkeypatch.setenv("NAPARI_SAM2_CACHE", str(tmp_path / "napari-sam2-cache"))


@pytest.fixture
def of_version_0_2(tmp_path: Path) -> Path:
    """Return a folder with all that version 0.2 wrote."""
    folder = tmp_path / "old"
    with tarfile.open(Path(__file__).parent / "data" / "version-0.2.tar.xz") as archive:
        # Before Python 3.11.4 nothing is filtered, and nobody asks.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    return folder
