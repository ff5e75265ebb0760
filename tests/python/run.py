#!/usr/bin/env python3
"""The Python package as its users have it. Usage: run.py FOLDER [NAME...]; FOLDER has the package, as build/tools/python has it, or is "installed": the one that
Python finds is meant. With names only these files or tests. The environment names the command as KILN, for what is compared with it.
Prints a PASS or FAIL line for each test, then "N passed, N failed, N skipped"."""

import importlib
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    folder, *names = sys.argv[1:]
    warnings.filterwarnings("ignore", ".*running statistics still are")  # few steps are enough here
    sys.path.insert(0, str(HERE))
    if folder != "installed":
        sys.path.insert(0, str(Path(folder).resolve()))
    import common

    for path in sorted(HERE.glob("test_*.py")):
        before = len(common.TESTS)
        importlib.import_module(path.stem)
        if names and path.stem not in names:
            common.TESTS[before:] = [f for f in common.TESTS[before:] if f.__name__ in names]
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for function in common.TESTS:
        word, why = "PASS", None
        try:
            why = function()
            word = "SKIP" if why else "PASS"
        except Exception as e:  # whatever goes wrong is this test's failure, not the end of the others
            word, why = "FAIL", f"{type(e).__name__}: {e}".replace("\n", " ")[:300]
        count[word] += 1
        print(word, function.__name__, *([why] if why else []), flush=True)
    print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format(**count))
    return count["FAIL"] > 0


if __name__ == "__main__":
    sys.exit(main())
