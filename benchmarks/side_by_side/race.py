"""Let contenders take turns on a case, frame by frame, and keep what each took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.side_by_side.cases import Case
from benchmarks.side_by_side.worker import MARK

ROOT = Path(__file__).parents[2]


@dataclass
class Runner:
    """What one contender took.

    Attributes
    ----------
    name
        Key of `contenders.CONTENDERS`.
    missing
        Why it was not measured; empty where it was.
    answers
        By verb, what the worker said of each turn.
    """

    name: str
    missing: str = ""
    answers: dict[str, list[dict]] = field(default_factory=dict)

    def seconds(self, verb: str, clock: str) -> list[float]:
        """Return what each turn took by a clock."""
        return [each[clock] for each in self.answers.get(verb, [])]


class Worker:
    """A contender's process."""

    def __init__(self, name: str, case: Case, threads: int, source: Path) -> None:
        path = os.pathsep.join(
            (str(source / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))
        )
        command = (sys.executable, "-m", "benchmarks.side_by_side.worker")
        self.process = subprocess.Popen(
            [*command, name, json.dumps(case.as_dict()), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)},
        )

    def hear(self) -> dict:
        """Return the next answer; a process that ended is missing."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(MARK):
                found: dict = json.loads(line.removeprefix(MARK))
                return found
        return {"missing": f"its process ended with status {self.process.wait()}"}

    def ask(self, verb: str) -> dict:
        """Let it do something once."""
        assert self.process.stdin is not None
        self.process.stdin.write(verb + "\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        with self.process:  # closes the pipes, and waits
            pass


def race(
    case: Case,
    names: Sequence[str],
    *,
    turns: int,
    threads: int = 1,
    base: Path | None = None,
    verbs: Sequence[str] = ("step",),
) -> list[Runner]:
    """Measure contenders in turn: A B C A B C; the first round warms up."""
    runners = [Runner(name) for name in names]
    workers: dict[str, Worker] = {}
    try:
        for runner in runners:
            if runner.name == "base" and base is None:
                runner.missing = "no --base"
                continue
            source = base if runner.name == "base" and base else ROOT
            worker = Worker(runner.name, case, threads, source)
            runner.missing = str(worker.hear().get("missing", ""))
            workers[runner.name] = worker
        for turn in range(turns + 1):
            for runner in runners:
                for verb in verbs if not runner.missing else ():
                    found = workers[runner.name].ask(verb)
                    runner.missing = str(found.get("missing", ""))
                    if turn and not runner.missing:
                        runner.answers.setdefault(verb, []).append(found)
    finally:
        for worker in workers.values():
            worker.close()
    return runners


def summary(
    case: Case, runners: Sequence[Runner], verb: str = "step", threads: int = 1
) -> list[dict]:
    """Return a row for each contender; ratios are of turns side by side.

    Of one thread on a CPU the process time counts, else the time on the wall. A ratio
    above 1 says that the contender takes longer than ours did in the same turn.
    """
    clock = "wall" if case.device == "cuda" or threads > 1 else "cpu"
    ours = next((r for r in runners if r.name == "ours" and not r.missing), None)
    rows = []
    for runner in runners:
        row: dict = {"case": case.title, "verb": verb, "contender": runner.name}
        times = runner.seconds(verb, clock)
        if runner.missing or not times:
            rows.append({**row, "missing": runner.missing or "no turn"})
            continue
        row |= {"seconds": median(times), "least": min(times), "most": max(times)}
        row["parts"] = _middle_parts(runner.answers[verb])
        row["peak"] = runner.answers[verb][-1]["peak"]
        if ours is not None and runner is not ours:
            ratios = [
                theirs / own
                for theirs, own in zip(times, ours.seconds(verb, clock), strict=False)
            ]
            row |= {"ratio": median(ratios), "ratios": [min(ratios), max(ratios)]}
        rows.append(row)
    return rows


def _middle_parts(answers: Sequence[dict]) -> dict[str, float]:
    names = {name for each in answers for name in each["parts"]}
    return {
        name: median(each["parts"].get(name, 0.0) for each in answers)
        for name in sorted(names)
    }
