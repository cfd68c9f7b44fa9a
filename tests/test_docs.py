"""What the documentation names is there."""

import re
import runpy
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import yaml

from napari_sam2.cli import app
from napari_sam2.train.recipe.config import Source, Stage, TrainConfig, read_config
from napari_sam2.ui.keys.keys import GESTURES, KEYS

ROOT = Path(__file__).parents[1]
BESIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = sorted([*ROOT.glob("docs/*.md"), *BESIDE])
OURS = re.compile(
    r"https://(?:github\.com/napari-sam2/napari-sam2/(?:blob|tree|raw)"
    r"|raw\.githubusercontent\.com/napari-sam2/napari-sam2)/main/([^\s)\"'>#]+)"
    r"(?:#([\w-]+))?"
)
MAX_PICTURE_BYTES = 2_000_000
WORDS = (
    *("frame", "object", "prompt", "anchor", "mask", "masklet", "label", "memory"),
    *("embedding", "pointer", "gap", "trust", "session", "lock"),
)
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


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "pyproject.toml", ROOT / "CITATION.cff", ROOT / "mkdocs.yml"],
    ids=lambda page: page.name,
)
def test_absolute_links_into_our_repository_name_files_and_headings(page):
    missing = {
        f"{path}#{anchor}"
        for path, anchor in OURS.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists()
        or (anchor and anchor not in headings(ROOT / path))
    }
    assert not missing


def headings(page):
    """Return the anchors of a page, as both GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


def test_the_readme_begins_with_a_small_picture_and_works_where_it_is_shown_alone():
    """PyPI and the napari hub show it without the files around it."""
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", text)
    meant = dict(re.findall(r"^\[([\w-]+)\]: (.+)$", text, re.MULTILINE))
    assert set(re.findall(r"\]\[([\w-]+)\]", text)) == meant.keys()
    addresses = [*(link for _, link in links), *meant.values()]
    assert all(link.startswith("https://") for link in addresses)
    assert links[0][0] == "!"
    (picture, _), *_ = OURS.findall(links[0][1])
    assert (ROOT / picture).stat().st_size <= MAX_PICTURE_BYTES
    assert text.index(links[0][1]) < text.index("\n## ")


def test_each_page_is_in_the_navigation_of_the_site():
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    named = re.findall(r"^ +- .+: ([\w/-]+\.md)$", text, re.MULTILINE)
    generated = runpy.run_path(str(ROOT / "tools" / "site_pages.py"))["pages"]()
    pages = {path.name for path in ROOT.glob("docs/*.md")}
    assert sorted(named) == sorted(pages | set(generated))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_belongs_to_a_list_is_indented_as_the_site_needs_it(page):
    """GitHub takes two spaces, Python-Markdown four: else the list ends there."""
    text = re.sub(r"^(```.*?^```)", "", page.read_text("utf-8"), flags=re.M | re.S)
    assert re.findall(r"\n\n {1,3}\S.*", text) == []


def test_links_of_the_pages_that_are_moved_stay_in_the_site():
    pages = runpy.run_path(str(ROOT / "tools" / "site_pages.py"))["pages"]()
    for name, text in pages.items():
        folder = (ROOT / "docs" / name).parent
        missing = {
            link
            for link in re.findall(r"(?:\]\(|\n\[[\w-]+\]: )([^)#\s]+)", text)
            if "://" not in link and not (folder / link).exists() and link not in pages
        }
        assert not missing, name
    assert "\n[tutorial]: tutorial.md\n" in pages["index.md"]
    assert "```python" in pages["notebooks/one-movie.md"]


def test_the_glossary_has_each_word_once():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    entries = re.findall(r"^(\*\*.+?\*\*(?:, \*\*.+?\*\*)*)", text, re.MULTILINE)
    words = [
        word.lower() for one in entries for word in re.findall(r"\*\*(.+?)\*\*", one)
    ]
    assert len(words) == len(set(words)) > 50
    assert set(WORDS) <= set(words)


def test_the_modules_that_the_architecture_names_are_there():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    source = ROOT / "src" / "napari_sam2"
    rooms = {path.name for path in source.iterdir() if path.is_dir()}
    named = {
        name.removesuffix(".py").replace(".", "/")
        for name in re.findall(r"`(\w+[/.][\w/.]+)", text)
    }
    modules = {one for one in named if one.partition("/")[0] in rooms}
    assert len(modules) > 60

    def is_there(name):
        return any((source / f"{name}{end}").exists() for end in ("", ".py"))

    missing = {
        name
        for name in modules
        if not is_there(name)
        and not any(  # a class or a function, or a method
            is_there(outer) and f" {inner.partition('/')[0]}" in text_of(source / outer)
            for outer, inner in splits(name)
        )
    }
    assert not missing


def splits(name):
    """Return the ways to see a path as a module, and names in it."""
    parts = name.split("/")
    return [("/".join(parts[:at]), "/".join(parts[at:])) for at in (-1, -2)]


def text_of(module):
    """Return the source of a module, or of a package's first file."""
    path = module.with_suffix(".py")
    return (path if path.exists() else module / "__init__.py").read_text("utf-8")


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
    assert len(tables) == 3
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 25
    assert [row for row in rows if "`tests/" not in row] == []


def test_each_kind_of_misread_input_has_samples_of_several_structures():
    text = (ROOT / "docs/inputs.md").read_text("utf-8")
    samples = re.findall(r"^\| ([A-I])\. [^|]+ \| ([^|]+) \| `([^`]+)` \|$", text, re.M)
    for kind in "ABCDEFGHI":
        of_kind = [(what, test) for one, what, test in samples if one == kind]
        assert len(of_kind) >= 3
        for column in zip(*of_kind, strict=True):
            assert len(set(column)) == len(of_kind)


def test_every_complaint_is_answered():
    text = (ROOT / "docs/what-users-ask-for.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|.*\| \*\*(.+?)\*\* \|", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 26))
    assert {answer for _, answer in rows} <= {"done", "partly", "not done", "not shown"}


def test_the_guide_has_all_gestures():
    text = (ROOT / "docs/user-guide.md").read_text("utf-8")
    rows = {tuple(re.split(r" \| ", line.strip("| "))) for line in text.splitlines()}
    for gesture in GESTURES:
        motion = gesture.motion.format(Control="Ctrl+", Shift="Shift+", Alt="Alt+")
        assert (motion, gesture.title) in rows


def test_the_page_of_keys_is_what_their_table_says():
    """Made by ``python tools/key_reference.py > docs/keys.md``."""
    tool = runpy.run_path(str(ROOT / "tools" / "key_reference.py"))
    text = (ROOT / "docs" / "keys.md").read_text("utf-8")
    assert text == tool["page"]()
    rows = {
        tuple(re.split(r" \| ", line.strip("| ")))[:2] for line in text.splitlines()
    }
    for key in KEYS:
        assert (" or ".join(f"`{_shown(one)}`" for one in key.keys), key.title) in rows


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_pages_have_the_options_that_are_shown(page):
    root = typer.main.get_command(app)
    text = page.read_text("utf-8")
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines()]
    shown += re.findall(r"`(napari-sam2 [^`]+)`", text)
    unknown = [
        (line, word)
        for line in shown
        for said in re.findall(r"napari-sam2 (\w[^#|&>]*)", line)
        for word in unknown_words(root, said.split())
    ]
    assert unknown == []


def unknown_words(command, words):
    """Return the options of ours in a command line that its command does not have."""
    if hasattr(command, "commands"):
        name, *words = words
        inner = command.commands.get(name)
        return [name] if inner is None else unknown_words(inner, words)
    options = {*options_of(command), "--help"}
    return [one for one in words if one.startswith("--") and one not in options]


def test_options_of_the_command_line_page_exist():
    root = typer.main.get_command(app)
    commands = [*root.commands.values(), *root.commands["models"].commands.values()]
    options = {name for command in commands for name in options_of(command)}
    text = (ROOT / "docs/command-line.md").read_text("utf-8")
    named = set(re.findall(r"(?<=[`\s])--[a-z][\w-]*", text))
    of_others = {"--help", "--plugin", "--recorded", "--restless", "--seeds"}
    assert named - options <= of_others


def options_of(command):
    """Return all options of a command, and those that switch them off."""
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


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


def test_menus_that_pages_name_are_those_of_napari():
    manifest = yaml.safe_load((ROOT / "src/napari_sam2/napari.yaml").read_text("utf-8"))
    contributed, plugin = manifest["contributions"], manifest["display_name"]
    docks = {one["display_name"] for one in contributed["widgets"]}
    samples = {one["display_name"] for one in contributed["sample_data"]}
    menus = {("Plugins", plugin, dock) for dock in docks}
    menus |= {("File", "Open Sample", plugin, sample) for sample in samples}
    named = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        found = re.findall(r"\*((?:Plugins|File › Open Sample) › [^*]+)\*", text)
        named |= {tuple(menu.split(" › ")) for menu in found}
    assert named <= menus | {("File", "Open Sample", plugin)}
    assert len(named & menus) >= 4
