#!/usr/bin/env python3
"""Is runtime/ops/OPERATORS.md what the registry says, and do ONNX' own tests err by no more than it says?

Usage: operators_page.py KILN [--renew]. Errors are looked at in the log of tests/conformance/run (build/tests/conformance.log), of the tests that are a node
alone: twice and a unit more than the page says may be another libm, beyond that is a failure. --renew writes the page, for whoever has looked at every line
that changes; it runs the tests with each instruction set that this machine has."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import onnx

PROJECT = Path(__file__).resolve().parent.parent
PAGE, LOG, DATA = PROJECT / "runtime/ops/OPERATORS.md", PROJECT / "build/tests/conformance.log", PROJECT / ".venv/onnx-1.22.0/node"
HEAD = """# The operators

Made by `tests/operators_page.py KILN --renew` of the registry (`kiln ops`) and of the last run of ONNX' own tests, and held against both by `tests/run`.
How the types are written: [signature.h](signature.h). Error: the largest of ONNX 1.22.0's tests of the node, in units of the last place (ulp) of what is
expected, rounded up; it is large where numbers near 0 are differences of larger ones, and empty where there is no test with floats.

| operator | versions | types of the newest | gradient | error |
|---|---|---|---|---|
"""


def domain_of(op):
    return f"{op['domain']}." if op["domain"] else ""


def operator_of(test):
    """The operator of a test that is a node alone; None for others."""
    path = DATA / test / "model.onnx"
    nodes = onnx.load(path).graph.node if path.exists() else []
    return (nodes[0].domain, nodes[0].op_type) if len(nodes) == 1 else None


def measured(log):
    """{operator: {type: the largest error}}."""
    errors = {}
    for line in log.splitlines():
        found = re.fullmatch(r"PASS (?:onnx-1\.22\.0\.)?(test_\S+) (\S+) ulp of (\S+)", line)
        operator = operator_of(found[1]) if found else None
        if operator:
            of = errors.setdefault(operator, {})
            of[found[3]] = max(of.get(found[3], 0), float(found[2]))
    return errors


def measured_with_all(kiln):
    """The same of runs with each instruction set."""
    log = ""
    for isa in ("base", "avx2", "avx512"):
        log += subprocess.run([kiln, "test", "--ulp", DATA], env={**os.environ, "KILN_ISA": isa}, capture_output=True, text=True).stdout
    return measured(log)


def rounded_up(x):
    if x == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(x)) - 1)
    return f"{math.ceil(x / step - 1e-9) * step:.{1 if x < 1 else 0}f}".removesuffix(".0") if x >= 0.1 else f"{x:.1g}"


def listed():
    """{operator: {type: the error that the page has}}."""
    errors = {}
    for line in PAGE.read_text().splitlines() if PAGE.exists() else []:
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 5:
            domain, _, name = cells[0].rpartition(".")
            errors[domain, name] = {t: float(x) for t, x in re.findall(r"(\w+) ([\d.e+]+)", cells[4])}
    return errors


def row(op, errors):
    newest = op["versions"][0]
    versions = ", ".join(str(v["since"]) for v in op["versions"])
    gradient = newest["no_gradient"] and f"no: {newest['no_gradient']}" or ("zero" if newest["zero_gradient"] else "yes")
    error = ", ".join(f"{t} {rounded_up(x)}" for t, x in sorted(errors.items()))
    return f"| {domain_of(op)}{op['name']} | {versions} | {newest['types']} | {gradient} | {error} |"


def page(registry, errors):
    return HEAD + "".join(row(op, errors.get((op["domain"], op["name"]), {})) + "\n" for op in registry)


def main():
    registry = json.loads(subprocess.run([sys.argv[1], "ops", "--json"], check=True, capture_output=True).stdout)
    if "--renew" in sys.argv:
        PAGE.write_text(page(registry, measured_with_all(sys.argv[1])))
        return 0
    now, before, failed = measured(LOG.read_text()), listed(), 0
    lines = set(PAGE.read_text().splitlines())
    for op in registry:
        key = op["domain"], op["name"]
        worse = [f"{t} errs by {x:.3g} ulp, the page says {before.get(key, {}).get(t, 'nothing')}"
                 for t, x in now.get(key, {}).items() if x > 1 + 2 * before.get(key, {}).get(t, -1)]
        wrong = worse or ([] if row(op, before.get(key, {})) in lines else ["is not as the page has it"])
        failed += bool(wrong)
        print("FAIL" if wrong else "PASS", f"{domain_of(op)}{op['name']}", *wrong)
    whole = PAGE.read_text() == page(registry, before)
    failed += not whole
    print("PASS" if whole else "FAIL", "page", "" if whole else "has lines that belong to no operator")
    print(f"{len(registry) + 1 - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
