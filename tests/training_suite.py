#!/usr/bin/env python3
"""The conformance suite for training, as its README has it: `kiln test` on its cases, its own runner over Kiln's backend, and whether the models and inputs that are
there are those that are declared. Then what `kiln test` makes of what a model says of its test. Usage: training_suite.py KILN FOLDER,
which has the Python package.
Prints a PASS or FAIL line for each test, then "N passed, N failed, N skipped"."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent
SUITE = HERE / "training-suite"
KILN, PACKAGE = (Path(p).resolve() for p in sys.argv[1:3])
count = {"PASS": 0, "FAIL": 0, "SKIP": 0}


def tell(word, name, why=""):
    count[word] += 1
    print(word, name, *([why] if why else []))


def lines_of(prefix, *command):
    """The lines of a program that ends with a sum; what is skipped or not supported is a failure, too."""
    environment = os.environ | {"PYTHONPATH": f"{PACKAGE}"}
    done = subprocess.run([f"{c}" for c in command], capture_output=True, text=True, env=environment)
    found = re.findall(r"^(PASS|FAIL|SKIP|UNSUPPORTED) (\S+?):?(?: (.*))?$", done.stdout, re.M)
    for word, name, why in found:
        tell("PASS" if word == "PASS" else "FAIL", f"{prefix}.{name}", why)
    if not found:
        tell("FAIL", prefix, f"ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return {name for _, name, _ in found}


def operators(nodes):
    """Those of bodies, too."""
    for n in nodes:
        yield n.op_type
        for a in n.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                yield from operators(a.g.node)


def covered():
    """Each operator that ONNX marks as differentiable is in a case."""
    real = onnx.defs.OpSchema.DifferentiationCategory.Differentiable
    schemas = [s for s in onnx.defs.get_all_schemas() if not s.domain]
    wanted = {s.name for s in schemas if all(any(f.differentiation_category == real for f in formals) for formals in (s.inputs, s.outputs))}
    there = {op for path in SUITE.glob("data/*/*/model.onnx") for op in operators(onnx.load(path).graph.node)}
    tell("PASS" if wanted and wanted <= there else "FAIL", "every-differentiable-operator", f"{len(wanted)} of them; not there: {sorted(wanted - there)}")


# -- what a model says of its test --

PLAIN = '<ir_version: 8, opset_import: ["" : 18]> m (float[2] x) => (float[2] y) { y = Neg(x) }'
COUNTED = '<ir_version: 8, opset_import: ["" : 18]> m (float[2] x) => (float[2] y) <float[2] a = {1, 2}> { y = Mul(x, a) }'


def plain(told, off=0.0):
    """A case whose expected values are off by so much, of 1 and 2."""
    model = onnx.parser.parse_model(PLAIN)
    onnx.helper.set_model_props(model, told)
    return model, [([np.array([1, 2], np.float32)], [np.array([-1 - off, -2 - 2 * off], np.float32)])]


def counted(told=None, wrong=0.0):
    """Two steps: a takes the product, n counts from what the initialization says."""
    model = onnx.parser.parse_model(COUNTED)
    t = model.training_info.add()
    t.algorithm.CopyFrom(onnx.parser.parse_graph("a () => (int64 n2, float[2] told) <int64 n = {70}, int64 one = {1}> { n2 = Add(n, one) told = Neg(y) }"))
    t.initialization.CopyFrom(onnx.parser.parse_graph("i () => (int64 n0) { n0 = Constant<value_int = 0>() }"))
    for key, value in ("a", "y"), ("n", "n2"):
        t.update_binding.add(key=key, value=value)
    t.initialization_binding.add(key="n", value="n0")
    onnx.helper.set_model_props(model, {"test.kind": "training"} if told is None else told)
    x = np.array([0.5, 3], np.float32)
    first, second = np.array([0.5, 6], np.float32), np.array([0.25, 18], np.float32)
    return model, [([x], [first, np.int64(1), -first]), ([x], [second, np.int64(2), -second - np.float32(wrong)])]


def write(directory, model, sets):
    directory.mkdir()
    onnx.save(model, directory / "model.onnx")
    for k, both in enumerate(sets):
        data = directory / f"test_data_set_{k}"
        data.mkdir()
        for kind, values in zip(("input", "output"), both):
            for i, value in enumerate(values):
                (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(value)).SerializeToString())


def fewer(case, part):
    """Without the last input or output of the second step."""
    model, (first, second) = case
    return model, [first, tuple(values[:-1] if k == part else values for k, values in enumerate(second))]


def more(case):
    model, (first, second) = case
    return model, [first, (second[0], [*second[1], np.float32(0)])]


TESTS = {  # what a case is, options, and what is said of it
    "usual-tolerance": (plain({}, 5e-4), [], "PASS"),
    "usual-tolerance-is-over": (plain({}, 2e-3), [], "FAIL"),
    "stated-rtol": (plain({"test.rtol": "1e-4"}, 5e-4), [], "FAIL"),
    "stated-rtol-is-kept": (plain({"test.rtol": "1e-2"}, 5e-3), [], "PASS"),
    "stated-atol": (plain({"test.rtol": "0", "test.atol": "0.1"}, 0.02), [], "PASS"),
    "stated-zero": (plain({"test.rtol": "0", "test.atol": "0"}), [], "PASS"),
    "option-before-statement": (plain({"test.rtol": "1e-4"}, 5e-3), ["--rtol=1e-2"], "PASS"),
    "option-of-one-leaves-the-other": (plain({"test.rtol": "0", "test.atol": "0.1"}, 0.02), ["--rtol=0"], "PASS"),
    "option-of-zero": (plain({"test.rtol": "1", "test.atol": "1"}, 5e-3), ["--rtol=0", "--atol=0"], "FAIL"),
    "no-number": (plain({"test.rtol": "small"}), [], "the metadata say that test.rtol is 'small', must be a number from 0 on"),
    "negative": (plain({"test.atol": "-1"}), [], "the metadata say that test.atol is '-1', must be"),
    "infinite": (plain({"test.rtol": "inf"}), [], "the metadata say that test.rtol is 'inf', must be"),
    "number-and-more": (plain({"test.rtol": "1e-3x"}), [], "the metadata say that test.rtol is '1e-3x', must be"),
    "unknown-kind": (plain({"test.kind": "inference"}), [], "the metadata say that test.kind is 'inference', must be 'training' or left out"),
    "steps": (counted(), [], "PASS"),
    "steps-without-training-info": (plain({"test.kind": "training"}), [], "the model has no training_info"),
    "steps-wrong-at-the-second": (counted(wrong=0.5), [], "output 'told': "),
    "steps-an-input-is-missing": (fewer(counted(), 0), [], "input_0.pb"),
    "steps-an-output-is-missing": (fewer(counted(), 1), [], "output_2.pb: is not there, the model has 3 outputs"),
    "steps-an-output-too-many": (more(counted()), [], "output_3.pb: is there, the model has 3 outputs"),
    "training-info-is-not-run-unless-said": ((counted({})[0], [([np.array([1, 1], np.float32)], [np.array([1, 2], np.float32)])]), [], "PASS"),
}


def metadata_tests():
    for name, (case, options, wanted) in TESTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch) / "case", *case)
            done = subprocess.run([KILN, "test", *options, scratch], capture_output=True, text=True)
        said = done.stdout.splitlines()[0] if done.stdout else done.stderr.strip()
        right = said.startswith(wanted) if wanted in ("PASS", "FAIL") else said.startswith("FAIL") and wanted in said
        tell("PASS" if right else "FAIL", f"metadata.{name}", "" if right else f"says '{said}', must say '{wanted}'")


def main():
    cases = {p.parent.name for p in SUITE.glob("data/*/*/model.onnx")}
    seen = {
        "kiln": lines_of("kiln", KILN, "test", SUITE / "data"),
        "backend": lines_of("backend", sys.executable, SUITE / "run.py", "kiln.backend"),
        "declared": lines_of("declared", sys.executable, SUITE / "generate.py", "--check"),
    }
    for name, of in seen.items():
        if of != cases or not cases:
            tell("FAIL", f"{name}.all-cases", f"{sorted(of ^ cases)[:5]} too many or too few")
    size = sum(p.stat().st_size for p in SUITE.rglob("*") if p.is_file())
    tell("PASS" if size < 5e6 else "FAIL", "size", f"{size} bytes")
    covered()
    metadata_tests()
    print("{PASS} passed, {FAIL} failed, {SKIP} skipped".format(**count))
    return count["FAIL"] > 0


if __name__ == "__main__":
    sys.exit(main())
