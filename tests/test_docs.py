"""What the documentation names is there."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from napari_sam2.cli import app
from napari_sam2.train.recipe.config import Source, Stage, TrainConfig, read_config
from napari_sam2.ui.keys.keys import GESTURES, KEYS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
OFFICIAL = sorted(ROOT.glob("docs/recipes/sam2.1-*.toml"))
WINDOWS = {"Control": "Ctrl", "PageUp": "PgUp", "PageDown": "PgDown", "Delete": "Del"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = {
        link
        for link in links
        if "://" not in link and not (page.parent / link).exists()
    }
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page):
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8"))
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file()
        or f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]
    assert not missing


def test_each_row_about_inputs_names_its_test():
    text = (ROOT / "docs/inputs.md").read_text("utf-8")
    tables = re.findall(r"\| test \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text)
    assert len(tables) == 2
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_complaint_is_answered():
    text = (ROOT / "docs/what-users-ask-for.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| \*\*(.+?)\*\* \|", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 26))
    assert {answer for _, answer in rows} <= {"done", "partly", "not done", "not shown"}


def test_the_guide_has_all_keys_and_gestures():
    text = (ROOT / "docs/user-guide.md").read_text("utf-8")
    rows = {tuple(re.split(r" \| ", line.strip("| "))) for line in text.splitlines()}
    for key in KEYS:
        assert (" or ".join(f"`{_shown(one)}`" for one in key.keys), key.title) in rows
    for gesture in GESTURES:
        motion = gesture.motion.format(Control="Ctrl+", Shift="Shift+", Alt="Alt+")
        assert (motion, gesture.title) in rows


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: path.stem)
def test_the_recipes_of_sam2_1_learn_as_published_and_name_a_holdout(path):
    config = read_config(path)
    assert (config.drop_path, config.dropout) == (0.1, 0.1)
    filled = re.sub("^# (images|holdout) =", r"\1 =", path.read_text(), flags=re.M)
    (source,) = tomllib.loads(filled)["sources"]
    assert Source(**source).holdout


def test_all_commands_are_in_the_command_line_page():
    text = (ROOT / "docs/command-line.md").read_text("utf-8")
    (listed,) = re.findall(r"^napari-sam2 (\w.* \| .*?)\s+\(", text, re.M)
    commands = {
        one.name or one.callback.__name__.replace("_", "-")
        for one in app.registered_commands
    }
    groups = {one.name for one in app.registered_groups}
    assert set(listed.split(" | ")) == commands | groups


@pytest.mark.parametrize(
    "row", [Stage, Source, TrainConfig], ids=lambda one: one.__name__
)
def test_the_page_on_training_names_every_field(row):
    text = (ROOT / "docs/training.md").read_text("utf-8")
    missing = [one.name for one in fields(row) if f"`{one.name}" not in text]
    assert missing in ([], ["stages", "sources", "losses"])


def _shown(key):
    *held, last = key.split("-")
    return "+".join(WINDOWS.get(one, one) for one in (*held, last))
