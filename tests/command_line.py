"""Commands in the process of a test."""

import sys

import pytest

from napari_sam2.cli import main


def run_main(monkeypatch, *arguments):
    """Run a command; return its exit code. What was said is for capsys."""
    monkeypatch.setattr(sys, "argv", ["napari-sam2", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code
