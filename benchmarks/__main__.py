"""How fast it is, beside what else there is: ``python -m benchmarks COMMAND``.

``cpu`` lets trackers take turns on the same work and compares their process time, or
with ``--threads`` above 1, on a machine that is idle, their time on the wall;
``nano`` does so for the bundled model, with a commit of ours and with what a frame's
time is spent on; ``gpu`` is for a machine with CUDA, in order of importance, and writes
after each case; ``memory`` counts how much more trackers remember after a long movie
than after its start; ``wheels`` fetches the contenders for a machine without a network.
``automatic`` scores what is tracked without a click, see `benchmarks.automatic` for
its options. Each of the others writes a table, JSON and a picture to ``--out``. What
is not installed is a row
"not measured".
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.side_by_side import report, wheels
from benchmarks.side_by_side.cases import CPU_CASES, FILLED, GPU_CASES, Case
from benchmarks.side_by_side.race import ROOT, Worker, race, summary

EAGER = ("ours", "sam2", "transformers")
COMPILED = ("ours", "sam2 compiled")
COMMANDS = ("cpu", "nano", "gpu", "memory", "wheels")


def main() -> None:
    """Run a command."""
    if sys.argv[1:2] == ["automatic"]:
        from benchmarks import automatic

        automatic.main(sys.argv[2:])
        return
    options = parsed()
    commands = {"cpu": cpu, "nano": nano, "gpu": gpu, "memory": memory, "wheels": fetch}
    commands[options.command](options)


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--wheels", type=Path, help="a folder that `wheels` made")
    parser.add_argument("--base", type=Path, help="a clone of ours at another commit")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--size", type=int, action="append", help="only these sizes")
    parser.add_argument("--objects", type=int, action="append", help="only so many")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--frames", type=int, default=1000, help="memory: how many")
    parser.add_argument("--contender", action="append", help="memory: only these")
    parser.add_argument(
        "--seconds", type=float, default=480.0, help="gpu: begin no case after so many"
    )
    parser.add_argument(
        "--rehearse", action="store_true", help="gpu: small cases on the CPU"
    )
    return parser.parse_args()


def cpu(options: argparse.Namespace) -> None:
    """Compare on the CPU."""
    cases = [
        replace(case, precision=options.precision)
        for case in CPU_CASES
        if case.size in (options.size or [case.size])
        and case.objects in (options.objects or [case.objects])
    ]
    names = ("ours", "ours, fp32-fast", "base", "sam2", "transformers")
    races = [(case, names) for case in cases]
    measure(f"cpu-{options.precision}", races, options)


def nano(options: argparse.Namespace) -> None:
    """Compare the bundled model's architecture with itself at another commit."""
    counts = options.objects or [1, 9]
    races = [(Case("nano", 256, objects), ("ours", "base")) for objects in counts]
    measure("nano", races, options, verbs=("step", "click"))


def gpu(options: argparse.Namespace) -> None:
    """Compare on CUDA, or rehearse that on the CPU.

    What is compiled comes last: it takes minutes before its first step.
    """
    cases: Sequence[Case] = GPU_CASES
    if options.rehearse:
        cases = [
            replace(case, device="cpu", size=256, objects=min(2, case.objects))
            for case in GPU_CASES[:2]
        ]
    races = [(case, EAGER) for case in cases]
    races += [(case, COMPILED) for case in cases if case.compiled]
    measure("gpu", races, options, seconds=options.seconds)


def memory(options: argparse.Namespace) -> None:
    """Print what each remembers after a step, and how much more after all."""
    case = Case(
        "sam2.1_tiny",
        (options.size or [128])[0],
        (options.objects or [16])[0],
        frames=FILLED + options.frames + 1,
    )
    with installed(options.wheels):
        for name in options.contender or EAGER:
            worker = Worker(name, case, options.threads, ROOT)
            missing = worker.hear().get("missing", "")
            if missing:
                print(f"{name}: not measured: {missing}", flush=True)
                continue
            held = []
            for steps in (1, options.frames - 1):
                for _ in range(steps):
                    worker.ask("step")
                held.append(worker.ask("held")["held"])
            worker.close()
            print(
                f"{case.title}, {name}: {held[0] / 2**20:.2f} MiB of objects after a "
                f"step, {(held[-1] - held[0]) / 2**20:.2f} more after {options.frames}",
                flush=True,
            )


def fetch(options: argparse.Namespace) -> None:
    """Make the wheels."""
    size = wheels.collect(options.wheels or options.out)
    print(f"{size / 2**20:.1f} MiB of wheels; the limit is {wheels.LIMIT / 2**20:.0f}")


@contextmanager
def installed(folder: Path | None) -> Iterator[None]:
    """Let workers find what a folder of wheels holds, if there is one."""
    with tempfile.TemporaryDirectory() as unpacked:
        if folder:
            wheels.unpack(folder, Path(unpacked))
            known = os.environ.get("PYTHONPATH", "")
            os.environ["PYTHONPATH"] = os.pathsep.join((known, unpacked))
        yield


def measure(
    name: str,
    races: Sequence[tuple[Case, Sequence[str]]],
    options: argparse.Namespace,
    *,
    verbs: Sequence[str] = ("step",),
    seconds: float | None = None,
) -> None:
    """Let contenders race in case after case, writing after each, until time is up."""
    rows: list[dict] = []
    began = time.monotonic()
    with installed(options.wheels):
        for case, names in races:
            if seconds is not None and time.monotonic() - began > seconds:
                rows.append({"case": case.title, "verb": "step", "contender": "all"})
                rows[-1]["missing"] = "no time left"
                continue
            runners = race(
                case,
                names,
                turns=options.turns,
                threads=options.threads,
                base=options.base,
                verbs=verbs,
            )
            for verb in verbs:
                rows += summary(case, runners, verb, options.threads)
            report.write(options.out, name, rows, threads=options.threads)
            print(report.table(rows[-len(names) * len(verbs) :]), flush=True)
            print(report.parts_table(rows[-len(names) * len(verbs) :]), flush=True)


if __name__ == "__main__":
    main()
