"""Pages of the site that lie elsewhere: README, CONTRIBUTING, CHANGELOG, notebooks.

A hook of mkdocs, named in ``mkdocs.yml``; nothing is written into ``docs``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files at the root, and what the site calls them."""

OURS = re.compile(
    r"https://(?:github\.com/napari-sam2/napari-sam2/blob"
    r"|raw\.githubusercontent\.com/napari-sam2/napari-sam2)/main/"
)
LINK = re.compile(r"(\]\(|^\[[^]]+\]: )([^)\s]+)", re.MULTILINE)
"""An inline link, or what a reference stands for."""


def pages() -> dict[str, str]:
    """Return the Markdown of each page, by its path in the site."""
    beside = {
        name: _linked_inside((ROOT / file).read_text("utf-8"))
        for file, name in BESIDE.items()
    }
    notebooks = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
    shown = {f"notebooks/{one.stem}.md": _notebook(one) for one in notebooks}
    return {**beside, **shown}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to what mkdocs found in ``docs``."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def _linked_inside(text: str) -> str:
    """Return a page of the root whose links into the repository stay in the site."""

    def inside(link: re.Match[str]) -> str:
        path, mark, anchor = OURS.sub("", link[2]).partition("#")
        path = BESIDE.get(path, path.removeprefix("docs/"))
        return f"{link[1]}{path}{mark}{anchor}"

    return LINK.sub(inside, text)


def _notebook(path: Path) -> str:
    """Return the cells of a notebook as Markdown, and a link to the notebook."""
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        is_code = cell["cell_type"] == "code"
        parts.append(f"```python\n{source}\n```" if is_code else source)
    parts.append(f"[Download this notebook]({path.name})")
    return "\n\n".join(parts) + "\n"
