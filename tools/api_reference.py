"""Write the reference page of the Python API from its docstrings.

    python tools/api_reference.py > docs/api.md

The page is compared with what this writes by ``tests/test_api.py``.
"""

from __future__ import annotations

import inspect
import sys

from napari_sam2 import api

HEAD = """# The Python API

Made from the docstrings by `python tools/api_reference.py > docs/api.md`.

```python
import napari_sam2 as ns

report = ns.track("movie.tif", "prompts.json", "masklets.zarr")
masklets = ns.read_masklets("masklets.zarr")
labels = masklets.read(0)  # (Y, X)

beside = {"kind": "beside", "patterns": ("{stem}_cp_masks.tif",)}
plan = ns.BatchPlan(movies=("data/*.tif",), prompts=beside)
ns.run(plan, "report")

click = ns.FramePrompt(1, 0, points=(ns.PointPrompt(40, 52),))
lazy = ns.track_stack(dask_array, [ns.PromptedObject(1, (click,))])
```
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_entry(name) for name in api.__all__)])


def _entry(name: str) -> str:
    found = getattr(api, name)
    is_function = inspect.isfunction(found)
    title = f"{name}{inspect.signature(found)}" if is_function else f"class {name}"
    return f"## `{name}`\n\n```text\n{title}\n\n{inspect.getdoc(found)}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
