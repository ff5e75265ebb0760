"""The command where a call of the C library fails: each allocation, each system call, one by one, in every verb.
Usage: run.py KILN [CASE...]
It must end with the exit code of the reason, or succeed with what it gives without a fault; what was in the place of its outputs is
whole, and nothing lies beside them. Prints a PASS or FAIL line for each case and kind of call."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
KILN = Path(sys.argv[1]).resolve()
OLD = b"what was there before\n"

# The exit codes that a fault of this kind may end with; 0 stands for the same result as without.
MEMORY, IO, NOTHING = {0, 8}, {0, 7}, {0}
KINDS = {
    "alloc": MEMORY, "map": MEMORY,
    "open": IO, "read": IO, "write": IO, "flush": IO, "sync": IO, "name": IO, "remove": IO, "close": IO,
    "stat": IO, "change": IO, "directory": IO, "path": IO, "random": IO,
    "thread": NOTHING, "advice": NOTHING,
}  # fmt: skip
FROM_THEN_ON = ("alloc", "map", "write", "read")  # these also fail for good

# -- what is worked on --

HEAD = '<ir_version: 8, opset_import: ["": 17]> '
LEARNER = HEAD + """g (float[N, 1, 6, 6] x, float[4, 1, 3, 3] w, float[4] scale, float[4] bias, float[4] mean, float[4] var,
 float[16, 3] dense) => (float[N, 3] y)
{ a = Conv (x, w) b = BatchNormalization (a, scale, bias, mean, var) r = Relu (b) p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
  f = Flatten (p) d = Dropout (f) l = MatMul (d, dense) y = Softmax (l) }"""
# As an exporter leaves it: normalisation became a product and a sum.
EXPORT = HEAD + """g (float[N, 1, 6, 6] x) => (float[N, 3] y)
<float[2, 1, 3, 3] w = {1, -2, 3, -1, 2, -3, 1, 2, 3, 3, 2, 1, 1, 1, 1, -1, 2, -3}, float[1, 2, 1, 1] m = {0.5, 2},
 float[1, 2, 1, 1] s = {0.1, -0.1}, float[32, 3] dense = {%s}>
{ a = Conv (x, w) b = Mul (a, m) c = Add (b, s) r = Relu (c) f = Flatten (r) l = MatMul (f, dense) y = Softmax (l) }""" % ", ".join(
    str((7 * k % 13 - 6) / 10) for k in range(96)
)
# Doubles, a branch, a loop, a function, strings, sizes that only running can tell, constants to be folded.
EVERYTHING = """<ir_version: 10, opset_import: ["": 17, "my": 1]>
g (float[N, 4] x, bool c) => (double[N, 4] y, float s, int64[2, K] n, string[1] t)
<double[4, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6, 5, 4, 3, 2}, float[4] one = {1, 1, 1, 1}, float[4] two = {2, 2, 2, 2}> {
    k = Add (one, two) a = my.twice (x) b = Mul (a, k)
    d = If (c) <then_branch = t () => (float r) { r = Relu (b) }, else_branch = e () => (float q) { q = Neg (b) }>
    h = Shape (d) f = Reshape (d, h) z = Cast <to = 11> (f) y = MatMul (z, w) n = NonZero (d)
    trips = Constant <value = int64 {3}> () go = Constant <value = bool {1}> () zero = Constant <value = float {0}> ()
    s = Loop (trips, go, zero) <body = l (int64 i, bool on, float v) => (bool still, float u) {
        still = Identity (on) j = Cast <to = 1> (i) u = Add (v, j) }>
    m = ReduceSum <keepdims = 0> (n) axes = Constant <value = int64[1] {0}> () o = Unsqueeze (m, axes) t = Cast <to = 8> (o)
}
<domain: "my", opset_import: ["": 17]> twice (p) => (q) { q = Add (p, p) }"""
HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,2.5,0.5,,,1\n2,1.5,0.75,,,1\n"


def idx(path, array):
    """IDX, packed by gzip: http://yann.lecun.com/exdb/mnist (bytes alone)."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(d.to_bytes(4, "big") for d in array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0))


# x is {1.5, -2}, label 3, as TensorFlow writes it
RECORD = "2500000000000000eabc36f30a230a0e0a056c6162656c12051a030a01030a110a0178120c120a0a080000c03f000000c0af972309"


def png(grey):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_inputs(at):
    random = np.random.default_rng(5)
    y = np.arange(10) % 3
    x = (random.normal(size=(10, 1, 6, 6)) + y[:, None, None, None]).astype(np.float32)
    (at / "learner.onnxtxt").write_text(LEARNER)
    (at / "export.onnxtxt").write_text(EXPORT)
    (at / "everything.onnxtxt").write_text(EVERYTHING)
    (at / "h.csv").write_text(HISTORY)
    np.savez(at / "data.npz", x=x, y=y)
    np.savez_compressed(at / "packed.npz", x=x, y=y)
    (at / "data.csv").write_text("".join(",".join(f"{v:.3f}" for v in row.ravel()) + f",{label}\n" for row, label in zip(x, y)))
    idx(at / "x.gz", random.integers(0, 256, (10, 6, 6)))
    idx(at / "y.gz", y)
    np.save(at / "x.npy", x[:3])
    for name in "a", "b":
        (at / "pictures" / name).mkdir(parents=True)
        (at / "pictures" / name / "1.png").write_bytes(png(random.integers(0, 256, (5, 6)).astype(np.uint8)))
    (at / "two.tfrecord").write_bytes(bytes.fromhex(RECORD) * 2)
    np.save(at / "rows.npy", x[:3, 0, 0, :4].copy())
    np.save(at / "c.npy", np.array(True))
    subprocess.run([KILN, "init", at / "learner.onnxtxt", "--output", at / "start.onnx"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([KILN, "train", at / "start.onnx", "--batch", "4", "--data", f"npz:{at}/data.npz", "--checkpoint", at / "ck", "--quiet",
                    "--output", at / "one.onnx"], check=True)  # fmt: skip
    model = onnx.load(at / "start.onnx")
    onnx.save_model(model, at / "beside.onnx", save_as_external_data=True, location="beside.data", size_threshold=0)
    test = at / "tests" / "test_one"
    (test / "test_data_set_0").mkdir(parents=True)
    onnx.save_model(onnx.parser.parse_model(HEAD + "g (float[2] x) => (float[2] y) { y = Neg (x) }"), test / "model.onnx")
    for name, value in ("input_0", [1, -2]), ("output_0", [-1, 2]):
        (test / "test_data_set_0" / f"{name}.pb").write_bytes(
            onnx.numpy_helper.from_array(np.array(value, np.float32)).SerializeToString())  # fmt: skip


# -- cases --


class Case:
    """`outputs` are those that are the same each time, `others` tell times: files that must be whole JSON, archives, or text to a last
    newline. `says`: standard output is the same each time. `trains`: where it fails the model may be that of any step. `codes` are others
    that a fault may end with, `without` kinds that are left out."""

    def __init__(self, name, words, outputs=(), others=(), says=True, codes=(), without=()):
        self.name, self.words, self.outputs, self.others, self.says = name, words.split(), outputs, others, says
        self.trains = name.startswith("train")
        self.codes, self.without = set(codes), without


TRAIN = "train ../in/start.onnx --batch 4 --threads 2 --output out.onnx "
CASES = [
    Case("inspect", "inspect ../in/beside.onnx"),
    Case("inspect.text", "inspect --text --full ../in/everything.onnxtxt"),
    Case("inspect.json", "inspect --json ../in/everything.onnxtxt"),
    Case("inspect.dot", "inspect --dot ../in/start.onnx"),
    Case("inspect.gradients", "inspect --gradients --json --batch 4 ../in/start.onnx"),
    Case("inspect.plan", "inspect --plan --train --batch 4 ../in/start.onnx"),
    Case("run", "run ../in/everything.onnxtxt --threads 2 --input x=../in/rows.npy --input c=../in/c.npy --output out", ("out/y.npy", "out/s.npy", "out/n.npy", "out/t.json")),
    Case("run.external", "run ../in/beside.onnx --profile=p.json", others=("p.json",)),
    Case("init", "init ../in/learner.onnxtxt --output out.onnxtxt", ("out.onnxtxt",)),
    Case("train", TRAIN + "--data npz:../in/data.npz:train[0:8] --validation npz:../in/packed.npz --epochs 2 --save-best val_loss --history h.csv "
         "--step-log s.csv --figure f.svg --profile p.json", ("out.onnx",), ("h.csv", "s.csv", "f.svg", "p.json"), says=False),
    Case("train.checkpoint", TRAIN + "--quiet --data npz:../in/data.npz --epochs 2 --checkpoint ck --checkpoint-steps 2", ("out.onnx",),
         ("ck/checkpoint.npz",)),
    Case("train.resume", TRAIN + "--quiet --data npz:../in/data.npz --epochs 2 --resume ../in/ck --checkpoint ck --step-log s.csv", ("out.onnx",),
         ("ck/checkpoint.npz", "s.csv")),
    Case("train.events", TRAIN + "--quiet --data npz:../in/data.npz:train[0:8] --validation npz:../in/packed.npz --epochs 2 --tensorboard logs "
         "--history h.jsonl", ("out.onnx",), ("h.jsonl",)),
    Case("train.rate", "train ../in/start.onnx --batch 4 --threads 2 --data npz:../in/data.npz --find-learning-rate 1e-3:1 --steps-per-epoch 12 "
         "--figure f.svg", ("f.svg",)),
    Case("train.csv", TRAIN + "--quiet --data csv:../in/data.csv --normalize standardize --optimizer sgd:momentum=0.9", ("out.onnx",)),
    Case("train.stream", TRAIN + "--quiet --data csv:../in/data.csv --normalize standardize --shuffle-buffer 3 --validation npz:../in/packed.npz", ("out.onnx",)),
    Case("train.idx", TRAIN + "--quiet --data idx:../in/x.gz,../in/y.gz --validation-split 0.3 --optimizer rmsprop --early-stop val_loss:1", ("out.onnx",)),
    Case("eval", "eval ../in/start.onnx --data npz:../in/packed.npz:train --batch 4 --threads 2 --normalize center --fit npz:../in/data.npz", says=False),
    # Classes: where an allocation fails for a faster way that can be done without, values round otherwise.
    Case("predict", "predict ../in/start.onnx --data npz:../in/packed.npz:train --batch 4 --threads 2 --normalize center --classes --output p.csv", ("p.csv",)),
    Case("predict.npy", "predict ../in/start.onnx --data csv:../in/data.csv --threads 2 --classes --output p.npy", ("p.npy",)),
    Case("data.folder", "data ../in/pictures,size=4x4", without=["stat"]),  # what is a folder is found out by looking
    Case("data.tfrecord", "data ../in/two.tfrecord"),
    Case("data", "data ../in/data.csv --figure f.svg --json", ("f.svg",)),
    Case("figure", "figure --output f.svg a=../in/h.csv b=../in/h.csv", ("f.svg",)),
    Case("convert.text", "convert ../in/beside.onnx --output out.onnxtxt", ("out.onnxtxt",)),
    Case("convert.binary", "convert ../in/everything.onnxtxt --output out.onnx", ("out.onnx",)),
    Case("convert.inference", "convert ../in/start.onnx --inference --set x=../in/x.npy --output out.onnx", ("out.onnx",)),
    Case("adapt", "adapt ../in/export.onnxtxt --calibrate npz:../in/data.npz --threads 2 --classes 5 --report r.json --output out.onnx", ("out.onnx", "r.json")),
    Case("convert.trainable", "convert ../in/export.onnxtxt --trainable --calibrate npz:../in/data.npz --threads 2 --output out.onnx", ("out.onnx",)),
    Case("bench", "bench --seconds 0 --batch 2 --threads 1 --train ../in/start.onnx", says=False),
    Case("ops", "ops --json"),
    Case("test", "test ../in/tests", codes=[11], without=["stat"]),  # what is a test is found out by looking
]  # fmt: skip

# -- a run --


class Run:
    """The command, run in a directory where its outputs are already, with what was there before. Afterwards they are so again."""

    def __init__(self, case, at, fault=""):
        expected = (*case.outputs, *case.others)
        at.mkdir(exist_ok=True)
        for name in expected:
            (at / name).parent.mkdir(exist_ok=True)
            if name.endswith(".npz"):  # one that is there is not begun over
                (at / name).unlink(missing_ok=True)
            else:
                (at / name).write_bytes(OLD)
        counts = at.parent / f"{at.name}.counts"
        counts.unlink(missing_ok=True)
        env = {"LD_PRELOAD": SHIM, "FAULT": fault, "COUNTS": str(counts)}
        done = subprocess.run([KILN, *case.words], cwd=at, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr.decode(errors="replace")
        self.files = {str(p.relative_to(at)): p.read_bytes() for p in at.rglob("*") if p.is_file()}
        self.events = [self.files.pop(name) for name in list(self.files) if "/events.out.tfevents." in name]  # whose names tell the time
        for path in at.rglob("events.out.tfevents.*"):
            path.unlink()
        self.counts = dict.fromkeys((*KINDS, "left"), 0)
        if counts.exists():  # it is not, where the command died
            self.counts.update((name, int(n)) for name, n in (line.split() for line in counts.read_text().splitlines()))
        self.beside = sorted(set(self.files) - set(expected))
        for name in self.beside:
            (at / name).unlink()


def whole_records(content):
    """Of TensorBoard's files: a length, its checksum, so many bytes and theirs. tests/events.py looks at what is in them."""
    while content:
        length = int.from_bytes(content[:8], "little")
        if len(content) < 16 + length:
            return False
        content = content[16 + length :]
    return True


def whole(name, content):
    if name.endswith(".npz"):
        try:
            return content == OLD or all(len(np.load(io.BytesIO(content))[k].shape) for k in ("about", "fit/epochs"))
        except Exception:  # whatever NumPy says of it
            return False
    if name.endswith(".json") and content != OLD:
        try:
            json.loads(content)
        except ValueError:
            return False
    if name.endswith(".jsonl") and not content:  # of no epoch
        return True
    return content == OLD or content.endswith(b"\n")


class Reference:
    """What the command gives without a fault, and what its outputs may be where it fails."""

    def __init__(self, case, at):
        self.case = case
        self.run = Run(case, at / "reference")
        if self.run.code or self.run.beside or OLD in self.run.files.values():
            raise RuntimeError(f"ends with {self.run.code} and writes {sorted(self.run.files)} without a fault: {self.run.err}")
        self.whole = {name: [OLD, self.run.files[name]] for name in case.outputs}

    def is_whole(self, name, content):
        """What was there, what it is without a fault, or, of a training that ended on the way, the same network with other values."""
        if content in self.whole[name] or not self.case.trains:
            return content in self.whole[name]
        try:
            got, need = onnx.load_from_string(content), onnx.load_from_string(self.run.files[name])
        except Exception:  # whatever protobuf says of it
            return False
        return got.graph.node == need.graph.node and [(t.name, t.dims, len(t.raw_data)) for t in got.graph.initializer] == [
            (t.name, t.dims, len(t.raw_data)) for t in need.graph.initializer]  # fmt: skip

    def wrong(self, kind, run):
        """What is wrong with a run under a fault of that kind; empty where nothing is."""
        case, end, said = self.case, f"ended with {run.code}", run.err.strip()[-200:]
        if run.code < 0:
            return f"died of signal {-run.code}: {said}"
        if run.code not in KINDS[kind] | case.codes:
            return f"{end}: {said}"
        if run.code and run.code not in case.codes and not run.err.startswith("kiln: "):
            return f"{end} and said '{said}'"
        if run.code == 0 and case.says and run.out != self.run.out:
            return "says something else"
        if run.beside and kind != "remove":
            return f"{end} and left {run.beside[0]}"
        for name in case.outputs:
            if not self.is_whole(name, run.files.get(name)) if run.code else run.files.get(name) != self.run.files[name]:
                return f"{end}, and {name} is {'not whole' if run.code else 'another one'}"
        for name in case.others:
            if not whole(name, run.files.get(name, OLD if name.endswith(".npz") else b"")):
                return f"{end}, and {name} is not whole"
        if not all(map(whole_records, run.events)):
            return f"{end}, and a record of events is cut"
        if run.counts["left"] > self.run.counts["left"]:
            return f"{end} and left {run.counts['left']} allocations, {self.run.counts['left']} without a fault"
        return ""


def try_case(case, at, pool):
    """False where something is wrong."""
    at.mkdir()
    (at / "in").symlink_to("../in")
    reference = Reference(case, at)
    good = True

    def one(fault):
        problem = reference.wrong(fault.partition(":")[0], Run(case, at / str(threading.get_ident()), fault))
        return problem and f"{fault}: {problem}"

    for kind, n in reference.run.counts.items():
        if not n or kind == "left" or kind in case.without:
            continue
        faults = [f"{kind}:{k}" for k in range(n)]
        if kind in FROM_THEN_ON:
            faults += [f"{kind}:{k}+" for k in range(0, n, max(1, n // 40))]
        problems = [p for p in pool.map(one, faults) if p]
        first = f"{len(problems)} of {len(faults)}, {problems[0]}".replace("\n", " ") if problems else ""
        print("FAIL" if problems else "PASS", f"faults.{case.name}.{kind}", first, flush=True)
        good &= not problems
    return good


with tempfile.TemporaryDirectory() as scratch:
    scratch = Path(scratch)
    SHIM = str(scratch / "shim.so")
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", HERE / "shim.c", "-o", SHIM], check=True)
    (scratch / "in").mkdir()
    make_inputs(scratch / "in")
    bad = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for case in CASES:
            if sys.argv[2:] and case.name not in sys.argv[2:]:
                continue
            try:
                bad += not try_case(case, scratch / case.name, pool)
            except Exception as e:  # is this case's failure, not the end of the others
                print("FAIL", f"faults.{case.name}", f"{type(e).__name__}: {e}".replace("\n", " ")[:400], flush=True)
                bad += 1
sys.exit(bad > 0)
