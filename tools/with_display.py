"""Run a command where windows open: on this screen, or on a virtual one.

``python tools/with_display.py [NAME=VALUE…] COMMAND…`` installs or names missing system
libraries first, and wraps the command in ``xvfb-run`` where Linux has no screen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from system_libraries import ensure, has_screen

VIRTUAL_SCREEN = [
    "xvfb-run",
    "--auto-servernum",
    "--server-args=-screen 0 1920x1200x24",
]


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    environment = dict(os.environ)
    while arguments and "=" in arguments[0]:
        name, _, value = arguments.pop(0).partition("=")
        environment[name] = value
    ensure()
    # Found here, because Windows searches another PATH than the one that is handed on.
    program = shutil.which(arguments[0]) or arguments[0]
    command = [program, *arguments[1:]]
    if not has_screen():
        command = [*VIRTUAL_SCREEN, *command]
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
