"""Data larger than memory: kiln trains, measures and predicts with what it streams from files. Usage: tests/stream.py KILN
A set of more than 200 MB in each format; what is computed must be equal to what it is with all of it in memory."""

import filecmp
import gzip
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np

import harness
from harness import KILN, attempt, check, kiln

SIDE, FEATURES, BLOCK = 28, 784, 2000
IMAGES = 280_000  # x 784 bytes
MEMORY = 48  # MiB, for all that is kept
REST = 40 << 20  # the command itself

NET = """<ir_version: 8, opset_import: ["": 17], metadata_props: ["init.w": "glorot_uniform", "init.b": "zeros"]>
net (float[N,%d] x, float[%d,10] w, float[10] b) => (float[N,10] y) { m = MatMul(x, w) a = Add(m, b) y = Softmax(a) }
"""


def block():
    """Images with a label that can be learned."""
    random = np.random.default_rng(3)
    y = random.integers(0, 10, BLOCK)
    x = random.integers(0, 64, (BLOCK, FEATURES))
    x[np.arange(BLOCK)[:, None], y[:, None] * 70 + np.arange(40)] += 120
    return x.astype(np.uint8), y


def repeat(path, head, piece, times, opened=open):
    with opened(path, "wb") as f:
        f.write(head)
        for _ in range(times):
            f.write(piece)


def crc32c_masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


TABLE = []
for k in range(256):
    for _ in range(8):
        k = k >> 1 ^ (0x82F63B78 if k & 1 else 0)
    TABLE.append(k)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def record(x, y):
    """A tf.train.Example in a frame of TFRecord."""
    def feature(name, value):
        return field(1, field(1, name) + field(2, value))

    data = field(1, feature(b"x", field(1, field(1, x.tobytes()))) + feature(b"y", field(3, field(1, varint(int(y))))))
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", crc32c_masked(head)) + data + struct.pack("<I", crc32c_masked(data))


def png(pixels):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def npy_head(dtype, shape):
    h = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    h += " " * (-(len(h) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(h)) + h.encode()


def make(at):
    x, y = block()
    times = IMAGES // BLOCK
    images = struct.pack(">4B3I", 0, 0, 8, 3, IMAGES, SIDE, SIDE)
    labels = struct.pack(">4BI", 0, 0, 8, 1, IMAGES)
    repeat(at / "images", images, x.tobytes(), times)
    repeat(at / "labels", labels, y.astype(np.uint8).tobytes(), times)
    repeat(at / "images.gz", images, x.tobytes(), times, lambda path, mode: gzip.open(path, mode, compresslevel=1))
    repeat(at / "x.npy", npy_head("|u1", (IMAGES, FEATURES)), x.tobytes(), times)
    repeat(at / "y.npy", npy_head("<i8", (IMAGES,)), y.astype("<i8").tobytes(), times)
    with zipfile.ZipFile(at / "set.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        z.write(at / "x.npy", "x.npy")
        z.write(at / "y.npy", "y.npy")
    rows = "".join(",".join(map(str, row)) + f",{label}\n" for row, label in zip(x[:500], y)).encode()
    repeat(at / "table.csv", b"", rows, 200)
    repeat(at / "set.tfrecord", b"", b"".join(record(a, b) for a, b in zip(x[:200], y)), IMAGES // 200)
    for k in range(1, 6):
        piece = b"".join(bytes([label]) + (row.tobytes() * 4)[:3072] for row, label in zip(x[:1000], y))
        repeat(at / f"data_batch_{k}.bin", b"", piece, 14)
    for k in range(600):
        (at / "pictures" / f"class{y[k]}").mkdir(parents=True, exist_ok=True)
        (at / "pictures" / f"class{y[k]}" / f"{k}.png").write_bytes(png(x[k].reshape(SIDE, SIDE)))
    (at / "net.onnxtxt").write_text(NET % (FEATURES, FEATURES))
    (at / "wide.onnxtxt").write_text(NET % (3072, 3072))
    (at / "picture.onnxtxt").write_text(NET % (FEATURES, FEATURES))


def run(at, *words):
    """The command's peak in bytes, and what it ended with; a small process starts it (tests/peak.py says why)."""
    code = ("import os, resource, sys; p = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ); "
            "c = os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]); "
            "print(c, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, KILN, *map(str, words)], cwd=at, check=True, capture_output=True, text=True)
    ended, most = map(int, done.stdout.split("\n")[-2].split())
    return ended, most, done.stdout + done.stderr


SETS = [  # name, SPEC, model; all but the last are larger than MEMORY
    ("idx", "idx:images,labels", "net"),
    ("idx.gz", "idx:images.gz,labels", "net"),
    ("npy", "npy:x.npy,y.npy", "net"),
    ("npz", "npz:set.npz", "net"),
    ("csv", "csv:table.csv,label=last", "net"),
    ("tfrecord", "tfrecord:set.tfrecord", "net"),
    ("cifar10", "cifar10:.", "wide"),
    ("folder", "folder:pictures", "picture"),
]


def train(spec, model, out, *words):
    return ["train", f"{model}.onnxtxt", "--data", spec, "--batch", "500", "--normalize", "unit", "--seed", "5", "--quiet", "--output",
            f"{out}.onnx", *words]  # fmt: skip


def in_order(at, name, spec, model):
    """Without shuffling a stream makes the same model as memory does."""
    bounded = ["--memory", MEMORY] if name != "folder" else []
    ended, most, said = run(at, *train(spec, model, "streamed", "--no-shuffle", "--shuffle-buffer", 1, *bounded))
    if ended:
        return f"ended with {ended}: {said}"
    if most > (MEMORY << 20) + REST:
        return f"took {most >> 20} MiB"
    ended, most, said = run(at, *train(spec, model, "whole", "--no-shuffle"))
    return (ended and said) or (not filecmp.cmp(at / "streamed.onnx", at / "whole.onnx", shallow=False) and "other bytes than in memory")


def refused(at, name, spec, model):
    """As today: all of it in memory is more than is allowed."""
    ended, _, said = run(at, *train(spec, model, "whole", "--memory", MEMORY))
    return (ended == 0 or "memory limit" not in said) and f"ended with {ended}: {said}"


def limited(at):
    """Looking at a stream may take as long as it takes, unless that was said."""
    ended, _, said = run(at, *train("csv:table.csv,label=last", "net", "never", "--shuffle-buffer", "9", "--seconds", "0.1"))
    return (ended == 0 or "time limit" not in said) and f"ended with {ended}: {said}"


def shuffled(at):
    """Any number of threads, a stop and a kill: the same bytes."""
    spec, words = "idx:images,labels[:60000]", ["--shuffle-buffer", "3000", "--memory", MEMORY, "--epochs", "2"]
    for threads in (1, 2, 3):
        ended, _, said = run(at, *train(spec, "net", f"threads{threads}", *words, "--threads", threads))
        if ended:
            return said
        if not filecmp.cmp(at / "threads1.onnx", at / f"threads{threads}.onnx", shallow=False):
            return f"{threads} threads make another model"
    for how, seconds in ((signal.SIGTERM, 0.4), (signal.SIGKILL, 0.5), (signal.SIGKILL, 0.8)):
        command = train(spec, "net", "resumed", *words, "--checkpoint", "kept", "--checkpoint-steps", "3")
        p = subprocess.Popen([KILN, *map(str, command)], cwd=at, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while not (at / "kept" / "checkpoint.npz").exists() and p.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds / 4)
        p.send_signal(how)
        p.communicate()
        ended, _, said = run(at, *train(spec, "net", "resumed", *words, "--resume", "kept"))
        if ended:
            return said
        if not filecmp.cmp(at / "threads1.onnx", at / "resumed.onnx", shallow=False):
            return f"after {how.name} another model"
        for file in (at / "kept").iterdir():
            file.unlink()
        (at / "kept").rmdir()
    ended, _, said = run(at, *train("idx:images,labels[:30000]", "net", "other", *words, "--checkpoint", "kept"))
    ended, _, said = run(at, *train("idx:images,labels[5:30005]", "net", "other", *words, "--resume", "kept"))
    return "checkpoint of another training" not in said and f"other data are taken: {said}"


def accuracy(text):
    return float(re.search(r"accuracy ([0-9.]+)", text)[1])


def learns(at):
    """A window that shuffles: eval and predict say the same of it as with the data in memory, and it has learned."""
    spec = "idx:images,labels"
    ended, _, said = run(at, *train(spec, "net", "learned", "--shuffle-buffer", "10000", "--memory", MEMORY))
    if ended:
        return said
    part = spec + "[:4000]"
    whole, most = kiln("eval", at / "learned.onnx", "--data", f"idx:{at}/images,{at}/labels[:4000]"), None
    ended, most, said = run(at, "eval", "learned.onnx", "--data", part, "--stream", "--memory", MEMORY)
    if ended or said.split("\n")[:-2] != whole.split("\n")[:-1]:
        return f"eval says\n{said}\nand\n{whole}"
    ended, _, said = run(at, "predict", "learned.onnx", "--data", part, "--output", "whole.npy")
    ended2, _, said2 = run(at, "predict", "learned.onnx", "--data", part, "--output", "streamed.npy", "--stream", "--memory", MEMORY)
    if ended or ended2 or not filecmp.cmp(at / "whole.npy", at / "streamed.npy", shallow=False):
        return f"predictions differ: {said} {said2}"
    return accuracy(whole) < 0.9 and f"accuracy {accuracy(whole)}"


def split(at):
    """The last part of a stream validates, standardised by the first."""
    words = ["--validation-split", "0.2", "--normalize", "standardize", "--history", "history.csv"]
    rows = []
    for buffer in ([], ["--shuffle-buffer", "1"]):
        ended, _, said = run(at, *train("idx:images,labels[:20000]", "net", "split", "--no-shuffle", *words, *buffer))
        if ended:
            return said
        rows.append([r.split(",") for r in (at / "history.csv").read_text().split("\n")])
    return [[v for k, v in enumerate(r) if rows[0][0][k] != "seconds"] for r in rows[0][:2]] != [
        [v for k, v in enumerate(r) if rows[0][0][k] != "seconds"] for r in rows[1][:2]
    ] and f"{rows}"


with tempfile.TemporaryDirectory() as folder:
    here = Path(folder)
    make(here)
    first = here / "images"
    check("larger", first.stat().st_size < 200e6 and f"only {first.stat().st_size} bytes")
    for row in SETS:
        attempt(f"in-order.{row[0]}", in_order, here, *row)
        if row[0] != "folder":
            attempt(f"refused.{row[0]}", refused, here, *row)
    attempt("limited", limited, here)
    attempt("shuffled", shuffled, here)
    attempt("learns", learns, here)
    attempt("split", split, here)
sys.exit(harness.failures > 0)
