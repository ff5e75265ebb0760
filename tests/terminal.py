"""What the command prints of a hostile file cannot be obeyed by a terminal, and what it writes for programs stays well formed.
Usage: terminal.py KILN. Prints a PASS or FAIL line for each test."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import harness
from harness import KILN, attempt

# Colours, a bell, C1 as UTF-8, text turned round, a line of its own, what JSON, XML and dot have to quote.
EVIL = '\x1b[31m\x07\x7f\x9b31m\u202e\u2066\u2028\nall is well\t"<&>\\'
BYTES = b"\x1b[2J\x9b1m\xff\x00\xe2\x80\xaeend"  # of a string tensor, or a file's name: no UTF-8


def evil(name):
    return name + EVIL


def network():
    """A layer to train, a subgraph, a function, a dimension with a name, an output of text."""
    inner = [
        helper.make_graph(
            [helper.make_node("Constant", [], [evil(f"{side}.made")], evil(side), value_string=BYTES)],
            evil(f"{side}.graph"),
            [],
            [helper.make_tensor_value_info(evil(f"{side}.made"), TensorProto.STRING, [])],
        )
        for side in ("yes", "no")
    ]
    nodes = [
        helper.make_node("MatMul", [evil("x"), evil("w")], [evil("h")], evil("layer")),
        helper.make_node(evil("Twice"), [evil("h")], [evil("p")], evil("call"), domain=evil("own")),
        helper.make_node("If", ["flag"], [evil("words")], evil("if"), then_branch=inner[0], else_branch=inner[1]),
    ]
    twice = helper.make_function(
        evil("own"), evil("Twice"), ["a"], ["c"], [helper.make_node("Add", ["a", "a"], ["c"], evil("sum"))], [helper.make_opsetid("", 17)]
    )
    graph = helper.make_graph(
        nodes,
        evil("graph"),
        [helper.make_tensor_value_info(evil("x"), TensorProto.FLOAT, [evil("N"), 2])],
        [helper.make_tensor_value_info(evil("p"), TensorProto.FLOAT, [evil("N"), 3]), helper.make_tensor_value_info(evil("words"), TensorProto.STRING, [])],
        [numpy_helper.from_array(np.ones((2, 3), np.float32), evil("w")), numpy_helper.from_array(np.array(True), "flag")],
    )
    return helper.make_model(
        graph,
        ir_version=8,
        producer_name=evil("producer"),
        producer_version=evil("1"),
        doc_string=evil("doc"),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(evil("own"), 1)],
        functions=[twice],
    )


def broken():
    """Operators that nobody knows: what is told of a model that cannot be built."""
    model = network()
    for k in range(2):
        model.graph.node.append(helper.make_node(evil("Nothing"), [evil("p")], [evil(f"q{k}")], evil("none"), domain=evil("nowhere")))
    return model


def parameters():
    """Inputs that are given values, as an exporter names them."""
    model = network()
    del model.graph.initializer[0]
    model.graph.input.append(helper.make_tensor_value_info(evil("w"), TensorProto.FLOAT, [2, 3]))
    return model


def hidden(printed, allowed="\n"):
    """The first thing in it that a terminal would obey or hide; None where there is nothing."""
    try:
        text = printed.decode()
    except UnicodeDecodeError as e:
        return f"no UTF-8: {e}"
    for c in text:
        if c not in allowed and (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")):
            at = text.index(c)
            return f"U+{ord(c):04X} in {text[max(0, at - 30):at + 10]!r}"
    return None


def piped(*words):
    done = subprocess.run([KILN, *words], capture_output=True)
    return done.returncode, done.stdout, done.stderr


def on_terminal(*words, columns=80):
    """What the command prints where its output is a terminal, which makes \\r\\n of \\n."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([KILN, *words], stdout=child, stderr=child, stdin=subprocess.DEVNULL)
    os.close(child)
    printed = b""
    while True:
        try:
            part = os.read(parent, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        printed += part
    os.close(parent)
    return process.wait(), printed.replace(b"\r\n", b"\n")


VERBS = {
    "inspect": ["inspect", "m.onnx"],
    "inspect.plan": ["inspect", "--plan", "m.onnx"],
    "inspect.plan.train": ["inspect", "--plan", "--train", "m.onnx"],
    "inspect.gradients": ["inspect", "--gradients", "m.onnx"],
    "inspect.gradients.json": ["inspect", "--gradients", "--json", "m.onnx"],
    "inspect.dot": ["inspect", "--dot", "m.onnx"],
    "inspect.json": ["inspect", "--json", "m.onnx"],
    "inspect.broken": ["inspect", "broken.onnx"],
    "inspect.broken.json": ["inspect", "--json", "broken.onnx"],
    "run": ["run", "m.onnx", "--output", "out"],
    "run.broken": ["run", "broken.onnx"],
    "run.no-such-input": ["run", "m.onnx", "--input", evil("none") + "=x.npy"],
    "bench": ["bench", "m.onnx", "--seconds", "0", "--nodes"],
    "bench.train": ["bench", "m.onnx", "--train", "--seconds", "0", "--nodes"],
    "init": ["init", "parameters.onnx", "--output", evil("made") + ".onnx"],
    "train": ["train", "m.onnx", "--data", "npz:d.npz", "--output", evil("out") + ".onnx", "--threads", "1"],
    "eval": ["eval", "m.onnx", "--data", "npz:d.npz:train"],
    "eval.json": ["eval", "m.onnx", "--data", "npz:d.npz:train", "--json", "-"],
    "data.json": ["data", "npz:d.npz:train", "--model", "m.onnx", "--json"],
    "adapt": ["adapt", "m.onnx", "--calibrate", "npz:d.npz", "--output", "out.onnx", "--report", "r.json"],
    "adapt.no-such-layer": ["adapt", "m.onnx", "--as", evil("none") + "=constant", "--output", "out.onnx"],
    "convert.trainable": ["convert", "m.onnx", "--trainable", "--calibrate", "npz:d.npz", "--output", "out.onnx"],
    "test": ["test", "tests"],
    "missing-file": ["inspect", b"missing" + BYTES.replace(b"\x00", b"")],
    "verb": [evil("none")],
}


def verb(words):
    code, out, err = piped(*words)
    if code < 0 or code == 64 and words[0] not in (evil("none"),):
        return f"ended with {code}: {err[-200:]}"
    if not out + err:
        return "says nothing"
    _, both = on_terminal(*words)
    if words[0] == "train":  # the bar
        both = re.sub(rb"\r(\x1b\[K)?epoch|\x1b\[K", b"epoch", both)
    return hidden(out) or hidden(err) or hidden(both)


def text():
    """In a pipe the text is what it is, and can be read back; on a terminal it cannot be obeyed."""
    _, raw, _ = piped("inspect", "--text", "--full", "m.onnx")
    Path("raw.onnxtxt").write_bytes(raw)
    code, _, err = piped("convert", "raw.onnxtxt", "--output", "again.onnx")
    if code:
        return f"cannot be read back: {err}"
    if onnx.load("again.onnx").graph.node[0].name != evil("layer"):
        return "the name of a node is another one"
    _, shown = on_terminal("inspect", "--text", "--full", "m.onnx")
    return hidden(shown, "\n\t")


def well_formed():
    for words in VERBS["inspect.json"], VERBS["inspect.gradients.json"], VERBS["inspect.broken.json"]:
        json.loads(piped(*words)[1])
    piped(*VERBS["adapt"])
    json.loads(Path("r.json").read_bytes())
    names = [v["name"] for v in json.loads(piped(*VERBS["inspect.json"])[1])["inputs"]]
    if names != [evil("x")]:
        return f"the JSON has the input {names}"
    json.loads(piped(*VERBS["data.json"])[1])
    Path(evil("model")).write_bytes(Path("m.onnx").read_bytes())
    name = json.loads(piped("eval", evil("model"), *VERBS["eval.json"][2:])[1])["model"]
    if name != evil("model"):
        return f"the JSON of what was measured has the model {name!r}"
    piped("run", "m.onnx", "--profile", "trace.json")
    json.loads(Path("trace.json").read_bytes())
    dot = piped(*VERBS["inspect.dot"])[1].decode()
    statement = r'(?:digraph model|node|[nvo]\d+_\d+(?: -> [nvo]\d+_\d+)?|subgraph cluster_\d+|label=STRING)?(?: ?\[(?:shape=\w+(?:, )?)?(?:label=STRING)?\])?[{};]?'
    for line in re.sub(r'"(?:[^"\\]|\\.)*"', "STRING", dot).splitlines():
        if not re.fullmatch(statement, line.strip().rstrip("}{; ").strip() or ""):
            return f"the picture has the line {line!r}"
    code, _, err = piped("train", "m.onnx", "--data", "npz:d.npz", "--output", "t.onnx", "--history", "h.csv", "--quiet")
    if code:
        return f"cannot be trained: {err}"
    for title in evil("run"), b"run" + BYTES.replace(b"\x00", b""):
        title = os.fsencode(title)
        code, _, err = piped("figure", "--title", title, "--output", "f.svg", title + b"=h.csv", b"\xc3" * 70 + b"=h.csv")
        if code:
            return f"no figure: {err}"
        xml.etree.ElementTree.parse("f.svg")
    return None


def progress():
    """The line that is drawn while an epoch runs stays on its line, and says what matters most where there is little room."""
    y = np.arange(2000) % 10
    np.savez("images.npz", x=(y[:, None] * np.ones((1, 784)) / 10).astype(np.float32).reshape(-1, 1, 28, 28), y=y)
    words = ["train", harness.MODELS / "mnist_mlp/bn_before.onnxtxt", "--data", "npz:images.npz", "--batch", "10", "--threads", "1", "--output", "p.onnx"]
    for columns, says in (
        (20, r"1/1  \d+%.*"),
        (40, r"1/1  \d+%  [\d.e+]+ ms  \d+ s  loss \d\.\d{4}"),
        (60, r"1/1(?: \[[=> ]{8,}\])?  \d+%  [\d.e+]+ ms  \d+ s  loss \d\.\d{4}  accuracy \d\.\d{4}"),
        (80, r"epoch 1/1(?: \[[=> ]{8,}\])?  \d+/2000  [\d.e+]+ ms/step  \d+ s left  loss \d\.\d{4}  accuracy \d\.\d{4}"),
        (200, r"epoch 1/1 \[[=> ]{32}\]  \d+/2000  [\d.e+]+ ms/step  \d+ s left  loss \d\.\d{4}  accuracy \d\.\d{4}"),
    ):
        code, shown = on_terminal(*map(str, words), columns=columns)
        drawn = [line.removesuffix("\x1b[K") for line in re.split("[\r\n]", shown.decode()) if line.endswith("\x1b[K") and len(line) > 3]
        if code or not drawn:
            return f"{columns} columns: ended with {code}, drew {len(drawn)} lines"
        if max(map(len, drawn)) >= columns:
            return f"{columns} columns: {max(drawn, key=len)}"
        if not any(re.fullmatch(says, line) for line in drawn):
            return f"{columns} columns: {drawn[-1]}"
    return None


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    for name, make in (("m", network), ("broken", broken), ("parameters", parameters)):
        onnx.save(make(), f"{name}.onnx")
    np.savez("d.npz", x=np.eye(2, dtype=np.float32), y=np.array([0, 1]))
    folder = Path("tests") / re.sub("[/\x00]", "", evil("case"))
    (folder / "test_data_set_0").mkdir(parents=True)
    onnx.save(network(), folder / "model.onnx")
    (folder / "test_data_set_0" / "input_0.pb").write_bytes(numpy_helper.from_array(np.ones((1, 2), np.float32)).SerializeToString())
    (folder / "test_data_set_0" / "output_0.pb").write_bytes(numpy_helper.from_array(np.zeros((1, 3), np.float32)).SerializeToString())
    (folder / "test_data_set_0" / "output_1.pb").write_bytes(helper.make_tensor("s", TensorProto.STRING, [], [b"else"]).SerializeToString())
    for name, words in VERBS.items():
        attempt(f"shown.{name}", verb, words)
    attempt("text", text)
    attempt("well-formed", well_formed)
    attempt("progress", progress)
sys.exit(harness.failures > 0)
