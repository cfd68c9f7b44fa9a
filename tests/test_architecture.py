"""The shape of the code, kept by test instead of by memory.

Who may import whom is kept by import-linter (`tox -e lint`); what is really loaded when
a program starts can only be seen in a fresh process, and is tested here.
"""

import ast
import os
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "napari_sam2"
FILES = sorted(
    path
    for folder in (SOURCE, ROOT / "tests", ROOT / "benchmarks", ROOT / "tools")
    for path in folder.rglob("*.py")
)
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_MODULES_SIDE_BY_SIDE = 15

BARE_MACHINE_LACKS = (
    *("PyQt5", "PyQt6", "PySide6", "qtpy", "superqt", "pyqtgraph"),
    *("napari", "npe2", "app_model", "magicgui", "psygnal", "pydantic", "typer"),
    *("bioio", "dask", "ome_zarr", "pooch", "skimage", "tifffile", "yaozarrs", "zarr"),
)
"""Packages of ours that a GPU machine without a window need not have."""

RUNS_ON_BARE_MACHINE = ("model", "tracking", "synthetic", "metrics", "train")

IMPORT_ALL_WITHOUT = """
import importlib, pkgutil, sys
blocked = set({blocked!r})

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{{name}} is not on this machine", name=name)

sys.meta_path.insert(0, Blocker())
package = importlib.import_module("napari_sam2.{package}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""


def run_python(code, *arguments):
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )


def loaded_after(statements, *modules):
    """Return which of the modules a fresh interpreter loads with the statements."""
    done = run_python(f"{statements}\nimport sys\nprint(*sys.modules, sep='\\n')")
    assert done.returncode == 0, done.stderr
    return set(modules) & set(done.stdout.splitlines())


def test_files_and_functions_stay_small():
    too_long = []
    for path in FILES:
        text, where = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        if (lines := len(text.splitlines())) > MAX_FILE_LINES:
            too_long.append(f"{where}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{where}:{node.lineno} {node.name}: {lines} lines")
    assert not too_long


def parsed():
    """Return the dotted name and the syntax tree of each module of ours."""
    trees = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imports_of(tree, modules):
    """Return the modules of ours that one names anywhere, also for types alone."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (whole & modules) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & modules
    return found


def sibling_of(package, module):
    """Return which child of a package a module lies in; "" if in none."""
    inside = module.removeprefix(f"{package}.")
    return "" if inside == module else inside.partition(".")[0]


def test_no_import_circle_in_any_package():
    trees = parsed()
    modules = set(trees)
    edges = [
        (user, used)
        for user, tree in trees.items()
        for used in imports_of(tree, modules)
    ]
    circles = []
    for package in {name.rpartition(".")[0] for name in modules} - {""}:
        order = TopologicalSorter()
        for user, used in edges:
            ends = sibling_of(package, user), sibling_of(package, used)
            if all(ends) and ends[0] != ends[1]:
                order.add(*ends)
        try:
            order.prepare()
        except CycleError as error:
            circles.append(f"{package}: {' -> '.join(error.args[1])}")
    assert not circles


def test_no_folder_is_flat():
    beside = Counter(path.parent for path in SOURCE.rglob("*.py"))
    flat = [
        f"{folder.relative_to(ROOT)}: {count - 1} modules"
        for folder, count in beside.items()
        if count - 1 > MAX_MODULES_SIDE_BY_SIDE  # its __init__ is no module beside
    ]
    assert not flat


def test_no_class_is_split_over_two_by_inheritance():
    """A base with one subclass that nobody constructs or names is half a class."""
    trees = parsed()
    classes, bases, named = set(), Counter(), Counter()
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
                bases.update(base.id for base in node.bases if is_name(base))
            elif isinstance(node, ast.Name):
                named[node.id] += 1
    # A base that is only inherited from is named once: where its subclass is stated.
    halves = [name for name in classes if bases[name] == 1 and named[name] == 1]
    assert not halves


def is_name(node):
    return isinstance(node, ast.Name)


@pytest.mark.parametrize("package", RUNS_ON_BARE_MACHINE)
def test_the_network_starts_without_napari_qt_and_file_formats(package):
    code = IMPORT_ALL_WITHOUT.format(blocked=BARE_MACHINE_LACKS, package=package)
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_the_engine_starts_without_napari_and_qt():
    blocked = ("PyQt5", "PyQt6", "PySide6", "qtpy", "superqt", "pyqtgraph", "napari")
    done = run_python(IMPORT_ALL_WITHOUT.format(blocked=blocked, package="engine"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["io", "session", "synthetic", "metrics"])
def test_files_the_controller_and_the_leaves_start_without_torch(package):
    blocked = ["torch", "torchvision", "timm", "napari", "qtpy"]
    done = run_python(IMPORT_ALL_WITHOUT.format(blocked=blocked, package=package))
    assert done.returncode == 0, done.stderr


def test_the_engine_starts_without_a_window():
    blocked = ["napari", "app_model", "PyQt5", "PyQt6", "PySide6", "qtpy"]
    blocked += ["superqt", "magicgui", "pyqtgraph"]
    done = run_python(IMPORT_ALL_WITHOUT.format(blocked=blocked, package="engine"))
    assert done.returncode == 0, done.stderr


def test_help_loads_neither_torch_nor_napari():
    code = (
        "import sys; sys.argv = ['napari-sam2', '--help']\n"
        "from napari_sam2.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code"
    )
    heavy = ("torch", "torchvision", "timm", "napari", "qtpy", "zarr", "dask")
    assert loaded_after(code, *heavy) == set()


def test_the_docks_module_loads_no_torch():
    assert loaded_after("import napari_sam2.ui.dock.dock", "torch", "timm") == set()


def test_the_package_itself_loads_nothing():
    loaded = loaded_after("import napari_sam2", "numpy", "torch", "napari")
    assert loaded == set()
