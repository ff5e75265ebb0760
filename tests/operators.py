#!/usr/bin/env python3
"""Holds the registry (`kiln ops --json`) against the schemas of the installed onnx package (1.23 or later).

Usage: operators.py KILN. For every operator that Kiln has: all versions from the one in force at opset 7 on are there, and of others only real ones;
inputs and outputs have the standard's names in its order, and are optional or variadic where it says so; each takes the types of the
standard, but for those in LEFT_OUT. Those of com.microsoft, and IN_STANDARD, are held against what the installed onnxruntime says of them. A line for each version of an operator, then "N passed, N failed, N skipped".
"""

import json
import re
import subprocess
import sys

import onnx.defs
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

OLDEST, NEWEST = 1, 28  # NEWEST_OPSET of ops/op.h
# Types that nothing computes with, of operators that do more than to move them.
LEFT_OUT = {"Dropout": re.compile("float8"), "GroupQueryAttention": re.compile("float8|int8")}
CONTRIBUTED = "com.microsoft"
IN_STANDARD = ("LayerNormalization", "SimplifiedLayerNormalization")  # that onnxruntime has put into the standard's own domain


def standard():
    """{(domain, name): {since version: schema}}."""
    found = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or schema.since_version <= NEWEST:
            found.setdefault((schema.domain, schema.name), {})[schema.since_version] = schema
    for schema in get_all_operator_schema():
        if schema.domain == CONTRIBUTED or (not schema.domain and schema.name in IN_STANDARD):
            found.setdefault((schema.domain, schema.name), {}).setdefault(schema.since_version, schema)
    return found


def needed(versions):
    """Those that are in force at opset 7 or later."""
    old = [v for v in versions if v <= OLDEST]
    return {v for v in versions if v > OLDEST} | ({max(old)} if old else set())


def wanted_formals(schema, formals):
    left_out = LEFT_OUT.get(schema.name)
    for formal in formals:
        types = sorted(t for t in formal.types if not (left_out and left_out.search(t)))
        option = formal.option.name
        homogeneous = formal.is_homogeneous if isinstance(schema, onnx.defs.OpSchema) else formal.isHomogeneous
        yield (formal.name.removesuffix("..."), option == "Optional", option == "Variadic", option != "Variadic" or homogeneous, types)


def given_formals(formals):
    for formal in formals:
        yield (formal["name"], formal["optional"], formal["variadic"], formal["homogeneous"], sorted(formal["types"]))


def differences(what, given, wanted):
    """What is wrong with the inputs or the outputs, one text for each thing."""
    given, wanted = list(given), list(wanted)
    if [g[0] for g in given] != [w[0] for w in wanted]:
        yield f"{what}s are {[g[0] for g in given]}, must be {[w[0] for w in wanted]}"
        return
    for g, w in zip(given, wanted):
        for word, got, need in zip(("optional", "variadic", "homogeneous"), g[1:4], w[1:4]):
            if got != need:
                yield f"{what} {g[0]} is {'' if got else 'not '}{word}"
        missing, more = sorted(set(w[4]) - set(g[4])), sorted(set(g[4]) - set(w[4]))
        if missing:
            yield f"{what} {g[0]} lacks {', '.join(missing)}"
        if more:
            yield f"{what} {g[0]} must not take {', '.join(more)}"


def judge(given, schema):
    yield from differences("input", given_formals(given["inputs"]), wanted_formals(schema, schema.inputs))
    yield from differences("output", given_formals(given["outputs"]), wanted_formals(schema, schema.outputs))


def main():
    registry = json.loads(subprocess.run([sys.argv[1], "ops", "--json"], check=True, capture_output=True).stdout)
    schemas = standard()
    passed = failed = 0

    def verdict(name, wrong):
        nonlocal passed, failed
        passed, failed = (passed, failed + 1) if wrong else (passed + 1, failed)
        print(f"FAIL {name} {'; '.join(wrong)}" if wrong else f"PASS {name}")

    for op in registry:
        schema_versions = schemas.get((op["domain"], op["name"]), {})
        given = {v["since"]: v for v in op["versions"]}
        if not schema_versions:
            verdict(op["name"], [f"the standard has no such operator in domain '{op['domain']}'"])
        for since in sorted(needed(schema_versions) | set(given)):
            name = f"{op['name']}-{since}"
            if since not in given:
                verdict(name, ["is missing"])
            elif since not in schema_versions:
                verdict(name, ["is no version of the standard"])
            else:
                verdict(name, list(judge(given[since], schema_versions[since])))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
