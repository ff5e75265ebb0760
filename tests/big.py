"""Models that have very many of one thing: what is done with them takes time in proportion. A limit of CPU seconds ends what grows with
the square: that took minutes. Usage: tests/big.py KILN MANY"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

MANY = Path(sys.argv[2]).resolve()
SECONDS = 20  # of CPU: what grows in proportion takes one to three

HEAD = '<ir_version: 10, opset_import: ["": 17{}]>\n'
FLAT, IMAGES = "float[N, 3]", "float[N, 2, 4, 4]"


def each(n, text):
    """`text` n times, with the number for {k} and the one after it for {next}."""
    return "".join(text.replace("{k}", str(k)).replace("{next}", str(k + 1)) for k in range(n))


def model(nodes, x=f"{FLAT} x", y=f"{FLAT} y", inner="", head="", functions=""):
    inner = f"<{inner.rstrip(', ')}>" if inner else ""
    return f"{HEAD.format(head)}g ({x}) => ({y}) {inner} {{\n{nodes}\n}}\n{functions}"


def listed(n, text):
    return each(n, text + ", ").rstrip(", ")


WEIGHTS = "float[2,2,3,3] w = {" + ", ".join(["0.05"] * 36) + "}, float[2] s = {1, 1}"
VECTOR = "= {1, 0.5, 0.25}"


def inputs(n):
    return model("y = Relu (x)", x=f"{FLAT} x, " + listed(n, FLAT + " i{k}"))


def unsupported(n):
    return model(each(n, "y{k} = Snow{k} (x)\n"), y=f"{FLAT} y0")


def normalized(n):
    return model(each(n, "t{k} = Conv <pads = [1, 1, 1, 1]> (a{k}, w) u{k} = BatchNormalization (t{k}, s, s, s, s) a{next} = Relu (u{k})\n"),
                 x=f"{IMAGES} a0", y=f"{IMAGES} a{n}", inner=WEIGHTS)


def convolutions(n):
    return model(each(n, "t{k} = Conv <pads = [1, 1, 1, 1]> (x, w)\n") + f"y = Concat <axis = 1> ({listed(n, 't{k}')})",
                 x=f"{IMAGES} x", y="float[N, M, 4, 4] y", inner=WEIGHTS)


def scaled(n):
    """What exporters make of BatchNormalization."""
    return model(each(n, "t{k} = Mul (a{k}, m{k}) u{k} = Add (t{k}, b{k}) a{next} = Tanh (u{k})\n"), x=f"{FLAT} a0", y=f"{FLAT} a{n}",
                 inner=each(n, f"float[3] m{{k}} {VECTOR}, float[3] b{{k}} {VECTOR}, "))


def merged(n):
    """Layers whose names speak of BatchNormalization that nobody finds, behind one that is found; zeros that tf2onnx has merged."""
    return model('["l/batchnorm/mul_1"] a0 = Mul (x, m)\n' + each(
        n, '["l{k}/batchnorm/mul_1"] t{k} = Mul (a{k}, a{k}) ["d{k}/Gemm"] u{k} = Gemm (t{k}, w{k}, z) a{next} = Tanh (u{k})\n'),
                 y=f"{FLAT} a{n}", head='], producer_name: "tf2onnx", metadata_props: ["a": "b"',
                 inner=f"float[3] m {VECTOR}, float[3] z = {{0, 0, 0}}, " + each(n, "float[3,3] w{k} = {1, 0, 0, 0, 1, 0, 0, 0, 1}, "))


def shared(n):
    """One weight that all nodes read; the model ends in logits of two classes."""
    return model(each(n, "a{next} = MatMul (a{k}, w)\n") + f"logits = MatMul (a{n}, v)", x=f"{FLAT} a0", y="float[N, 2] logits",
                 inner="float[3,3] w = {1, 0, 0, 0, 1, 0, 0, 0, 1}, float[3,2] v = {1, 0, 0, 1, 0, 0}")


def undrawn(n):
    """Weights that are still to be drawn, as the metadata say."""
    metadata = ", metadata_props: [" + listed(n, '"init.w{k}": "ones"') + "]"
    return model(each(n, "a{next} = MatMul (a{k}, w{k})\n"), x=f"{FLAT} a0, " + listed(n, "float[3,3] w{k}"),
                 y=f"{FLAT} a{n}").replace("]>\n", "]" + metadata + ">\n", 1)


def captured(n):
    branch = "= b () => (float[N, 3] o) { o = Sum (" + listed(n, "x{k}") + ") }"
    return model(each(n, "x{k} = Relu (x)\n") + f"y = If (c) <then_branch {branch}, else_branch {branch}>", x=f"{FLAT} x, bool c")


def overloads(n):
    function = '<domain: "f", overload: "o{k}", opset_import: ["": 17]>\nF (X) => (Y) { Y = Relu (X) }\n'
    return model(each(n, "a{next} = f.F:o{k} (a{k})\n"), x=f"{FLAT} a0", y=f"{FLAT} a{n}", head=', "f": 1', functions=each(n, function))


def wide_function(n):
    function = f'<domain: "f", opset_import: ["": 17]>\nF ({listed(n, "X{k}")}) => ({listed(n, "Y{k}")}) {{ {each(n, "Y{k} = Clip (X0, X{k}) ")} }}\n'
    return model(f"{listed(n, 'y{k}')} = f.F (x)", y=f"{FLAT} y0", head=', "f": 1', functions=function)


def outputs(n):
    return model(each(n, "y{k} = Identity (x{k})\n"), x=listed(n, "float[1] x{k}"), y=listed(n, "float[1] y{k}"))


def dotted(n):
    return model("y = " + "d." * n + "Relu (x)")


CASES = [  # name, model, how many, exit code, command
    ("inputs", inputs, 100_000, 0, "run MODEL"),
    ("unsupported", unsupported, 150_000, 4, "inspect MODEL"),
    ("normalized", normalized, 8_000, 0, "inspect --plan --train MODEL"),
    ("flows", scaled, 15_000, 0, "inspect --gradients --json MODEL"),
    ("convolutions", convolutions, 40_000, 0, "inspect --plan MODEL"),
    ("scaled", scaled, 40_000, 0, "inspect MODEL"),
    ("recovered", scaled, 8_000, 0, "convert MODEL --trainable --calibrate=csv:DATA --output=OUT"),
    ("merged", merged, 20_000, 0, "adapt MODEL --calibrate=csv:DATA --output=OUT"),
    ("untied", shared, 25_000, 0, "train MODEL --untie --data=csv:DATA --output=OUT --quiet"),
    ("undrawn", undrawn, 30_000, 0, "init MODEL --output=OUT"),
    ("captured", captured, 150_000, 0, "inspect --json MODEL"),
    ("overloads", overloads, 60_000, 0, "inspect --json MODEL"),
    ("wide-function", wide_function, 60_000, 0, "inspect --json MODEL"),
    ("dotted", dotted, 1_000_000, 3, "inspect MODEL"),
    ("names", outputs, 100_000, 0, "MANY MODEL"),
]


def limit():
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def judge(folder, make, n, code, command):
    (folder / "big.onnxtxt").write_text(make(n))
    places = {"MODEL": folder / "big.onnxtxt", "DATA": folder / "data.csv", "OUT": folder / "out.onnx"}
    words = command.split()
    for name, path in places.items():
        words = [w.replace(name, str(path)) for w in words]
    words = [MANY, *words[1:]] if words[0] == "MANY" else [harness.KILN, *words]
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=limit)
    if done.returncode < 0:
        return f"was ended by signal {-done.returncode}: more than {SECONDS} s of CPU for {n}"
    return done.returncode != code and f"ended with {done.returncode}, not {code}: {done.stderr[:300]}"


with tempfile.TemporaryDirectory() as name:
    (Path(name) / "data.csv").write_text("1,2,3,0\n2,3,1,1\n3,1,2,0\n1,3,2,1\n")
    for case, *words in CASES:
        harness.attempt(f"big.{case}", judge, Path(name), *words)
sys.exit(harness.failures > 0)
