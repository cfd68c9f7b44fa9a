"""Install what Qt and OpenGL need from the system, or say with which command to do it.

Wheels of PyQt6 and PySide6 bring Qt, but not the X11, OpenGL and font libraries that it
opens at run time; a container or a fresh server lacks them, and Qt then aborts without
naming the right one. Uses the standard library alone, so that it runs before anything
is installed. Does nothing on Windows and macOS.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Shared library → Debian package. libgl1 brings Mesa's software renderer with it."""

PROGRAMS = {"xvfb-run": "xvfb", "Xvfb": "xvfb", "xauth": "xauth"}
"""Program → Debian package: a screen for machines without one."""


def missing_packages(*, needs_screen: bool) -> list[str]:
    """Return the Debian packages of all libraries and programs that are not there."""
    packages = {
        package for library, package in LIBRARIES.items() if not _opens(library)
    }
    if needs_screen:
        packages |= {
            package for name, package in PROGRAMS.items() if shutil.which(name) is None
        }
    return sorted(packages)


def _opens(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_screen() -> bool:
    """Whether windows can be opened without a virtual screen."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or bool(shown)


def ensure() -> None:
    """Install all that is missing where we may; otherwise exit and name the command."""
    if not sys.platform.startswith("linux"):
        return
    packages = missing_packages(needs_screen=not has_screen())
    if not packages:
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        sys.exit(
            "Qt and OpenGL need system libraries that are not here. Install what your "
            f"distribution calls (by Debian's names): {' '.join(packages)}"
        )
    if os.geteuid() != 0:
        sys.exit(
            "Qt and OpenGL need system libraries that are not here. Run\n"
            f"    sudo {' '.join(install)}\nand then this again."
        )
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing for Qt and OpenGL: {' '.join(packages)}", flush=True)
    for command in (["apt-get", "update"], install):
        subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    ensure()
