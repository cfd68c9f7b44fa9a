"""One contender in its process: told by lines on stdin, answering by lines of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings

import torch

from benchmarks.side_by_side.cases import FILLED, Case
from benchmarks.side_by_side.contenders import CONTENDERS

MARK = "@answer "
"""Begins each answer: libraries print, too."""


def answer(**values: object) -> None:
    """Tell the other process."""
    print(MARK + json.dumps(values), flush=True)


def peak_bytes(case: Case) -> dict[str, int]:
    """Return the most memory that was held on host and device."""
    host = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if case.device != "cuda":
        return {"host": host}
    return {"host": host, "device": torch.cuda.max_memory_allocated()}


def main() -> None:
    """Set a contender up, then do as told until stdin ends."""
    warnings.simplefilter("ignore")
    name, case = sys.argv[1], Case(**json.loads(sys.argv[2]))
    torch.set_num_threads(int(sys.argv[3]))
    try:
        contender = CONTENDERS[name](case)
        contender.prompt()
        contender.fill()
    except (ImportError, AttributeError, TypeError, RuntimeError, KeyError) as error:
        answer(missing=f"{type(error).__name__}: {error}"[:200])
        return
    answer(ready=True)
    frame = FILLED - 1
    for line in sys.stdin:
        verb = line.strip()
        if verb == "held":
            answer(held=contender.held_bytes())
            continue
        frame += verb == "step"  # a click is on the frame last seen
        start = time.process_time(), time.perf_counter()
        getattr(contender, verb)(frame)
        if case.device == "cuda":
            torch.cuda.synchronize()
        answer(
            cpu=time.process_time() - start[0],
            wall=time.perf_counter() - start[1],
            parts=dict(getattr(contender, "parts", {})),
            peak=peak_bytes(case),
        )


if __name__ == "__main__":
    main()
