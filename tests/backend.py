#!/usr/bin/env python3
"""Runs ONNX' own tests by ONNX' own runner, over the Python package: the cases of nodes that the installed onnx package generates, and its models.

Usage: backend.py FOLDER [--renew]; FOLDER has the package. Held against tests/conformance/backend.txt, a line for each test that does not pass: "fail NAME" or "unsupported NAME".
--renew writes it anew, for whoever has looked at every line that changes. A line for each test, then "N passed, N failed, N skipped"."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIST = HERE / "conformance/backend.txt"


class Results(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.of = {}

    def addSuccess(self, test):
        self.of[name_of(test)] = "pass", ""

    def addError(self, test, err):
        kind, error = err[:2]
        self.of[name_of(test)] = "unsupported" if issubclass(kind, NotImplementedError) else "fail", " ".join(f"{error}".split())[:200]

    addFailure = addError

    def addSkip(self, test, reason):
        pass  # those of other devices


def name_of(test):
    return test.id().rsplit(".", 1)[-1].removesuffix("_cpu")


def expected():
    lines = LIST.read_text().splitlines() if LIST.exists() else []
    return {name: outcome for outcome, name in (line.split() for line in lines if line and not line.startswith("#"))}


def run(backend):
    import onnx.backend.test

    tests = onnx.backend.test.BackendTest(backend, __name__)
    results = Results()
    tests.test_suite.run(results)
    return results.of


def main():
    sys.path.insert(0, str(Path(sys.argv[1]).resolve()))
    import kiln.backend

    results, listed = run(kiln.backend), expected()
    if "--renew" in sys.argv:
        kept = [line for line in LIST.read_text().splitlines() if line.startswith("#")] if LIST.exists() else []
        LIST.write_text("\n".join([*kept, *(f"{outcome} {name}" for name, (outcome, _) in sorted(results.items()) if outcome != "pass")]) + "\n")
        listed = expected()
    count = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for name, (outcome, why) in sorted(results.items()):
        surprise = outcome != listed.get(name, "pass")
        word = "FAIL" if surprise else "PASS" if outcome == "pass" else "SKIP"
        count[word] += 1
        print(word, name, *([f"({outcome}: {why})"] if why else []), *([f"the list says {listed.get(name, 'pass')}"] if surprise else []))
    for name in sorted(set(listed) - set(results)):
        count["FAIL"] += 1
        print(f"FAIL {name} is listed, but there is no such test")
    print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format(**count))
    return count["FAIL"] > 0


if __name__ == "__main__":
    sys.exit(main())
