"""Write the reference page of the Python API from its docstrings.

    python tools/api_reference.py > docs/api.md

The page is compared with what this writes by ``tests/test_api.py``.
"""

from __future__ import annotations

import inspect
import sys
from enum import Enum
from types import FunctionType

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
    title = _signature(found) if inspect.isfunction(found) else f"class {name}"
    return f"## `{name}`\n\n```text\n{title}\n\n{inspect.getdoc(found)}\n```\n"


def _signature(function: FunctionType) -> str:
    """Return how a function is called, each parameter in a line of its own."""
    found = inspect.signature(function)
    lines, is_by_name = [], False
    for parameter in found.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not is_by_name:
            is_by_name = True
            lines.append("*")
        lines.append(_parameter(parameter))
    inside = "".join(f"    {line},\n" for line in lines)
    return f"{function.__name__}(\n{inside}) -> {found.return_annotation}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = "**" * (parameter.kind is parameter.VAR_KEYWORD)
    text = f"{stars}{parameter.name}: {parameter.annotation}"
    default = parameter.default
    if isinstance(default, Enum):
        return f"{text} = {type(default).__name__}.{default.name}"
    return text if default is parameter.empty else f"{text} = {default!r}"


if __name__ == "__main__":
    sys.stdout.write(page())
