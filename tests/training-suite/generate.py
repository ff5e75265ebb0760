#!/usr/bin/env python3
"""Writes the suite below data/, from the declarations in cases/ and the oracles. Usage: generate.py [--check] [PATTERN...]

Needs onnx and PyTorch (requirements.txt). With patterns, only the cases whose names match one. --check writes nothing and asks no oracle, and so does without PyTorch:
the models and inputs that are there must be those that would be written, and the expected outputs must be of the right names, types and shapes. A line for each case.
"""

import argparse
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

import onnx

from cases import bindings, control, elementwise, linear, losses, moves, normal, pools, reductions, sequences, statistics, steps
from cases.gradients import gradient_case
from cases.statistics import statistics_case
from cases.training import training_case

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
FAMILIES = [(gradient_case, m.family) for m in (elementwise, reductions, linear, pools, moves, normal, sequences, control, losses)] + [
    (statistics_case, statistics.family),
    (training_case, steps.family),
]


def differing(files, directory):
    """What is on the disk otherwise than it would be written; of the expected outputs, all but the numbers."""
    there = {f"{p.relative_to(directory)}" for p in directory.rglob("*") if p.is_file()}
    if there != set(files):
        return f"has {sorted(there ^ set(files))} too many or too few"
    for path, data in files.items():
        kept = (directory / path).read_bytes()
        if "/output_" in path:
            got, want = (onnx.TensorProto.FromString(b) for b in (kept, data))
            if (got.name, got.data_type, list(got.dims)) != (want.name, want.data_type, list(want.dims)):
                return f"{path} is {got.name} of type {got.data_type}, {list(got.dims)}; must be {want.name} of type {want.data_type}, {list(want.dims)}"
        elif kept != data:
            return f"{path} is another one"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("patterns", nargs="*")
    o = parser.parse_intermixed_args()
    failed = count = 0
    names = set()
    for build, family in FAMILIES:
        for case in family.cases:
            names.add(case.name)
            if o.patterns and not any(fnmatch(case.name, p) for p in o.patterns):
                continue
            directory = DATA / case.name.partition("_")[0] / case.name
            try:
                files, notes = build(case, not o.check)
                if o.check:
                    wrong = differing(files.of, directory)
                    notes = [wrong] if wrong else []
                else:
                    files.write(directory)
            except Exception as e:  # whatever goes wrong is this case's failure, not the end of the others
                notes = [f"{type(e).__name__}: {e}".replace("\n", " ")[:400]]
            count += 1
            failed += bool(notes)
            if notes or o.check:
                print("FAIL" if notes else "PASS", case.name, "; ".join(notes))
    for directory in sorted(p for p in DATA.glob("*/*") if p.name not in names):
        if o.check:
            failed, count = failed + 1, count + 1
            print(f"FAIL {directory.name} is on the disk, but nobody declares it")
        else:
            shutil.rmtree(directory)
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
