"""Contenders as wheels, for a machine without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGES = (
    *("sam2", "hydra-core", "omegaconf", "antlr4-python3-runtime==4.9.3", "iopath"),
    *("portalocker", "tqdm", "transformers", "tokenizers", "huggingface-hub", "regex"),
    *("pyyaml", "safetensors", "timm", "jaxtyping", "wadler-lindig", "psutil"),
)
LIMIT = 50 * 2**20
"""Bytes that all wheels together may take."""


def collect(folder: Path) -> int:
    """Make the wheels, without what they depend on; return their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    # In an environment of its own the build of sam2 would fetch torch once more.
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps"]
    command += ["--no-build-isolation", "-w", str(folder)]
    for package in PACKAGES:
        # CUDA extensions of sam2 are optional, and not built.
        done = subprocess.run(
            [*command, package], check=False, env={**os.environ, "SAM2_BUILD_CUDA": "0"}
        )
        if done.returncode:
            print(f"{package}: not to be had; its contender will not be measured")
    return sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))


def unpack(wheels: Path, folder: Path) -> None:
    """Lay the wheels' files out so that the folder can be put on the path."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
