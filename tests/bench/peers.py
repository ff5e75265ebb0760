"""Kiln beside its peers, pair by pair: each program in a process of its own, taking turns in one run, so that what else the machine does meets
all of them. Prints progress, and writes the tables of README.md to --output.

Usage: tests/bench/run [MODEL...] [options]      only the models and networks whose name has one of the words in it
  --only PARTS        some of train,infer,quantized,memory,load (all by default)
  --sweep             single convolutions of many shapes beside onnxruntime instead: where Kiln is weakest comes last
  --threads N,N       1,2      --batch N,N  1,32 (of inference)
  --seconds S         1; of a turn      --rounds N  5; turns of each program
  --kiln PROGRAM      build/tools/kiln      --output FILE  build/bench/table.md (and .json beside it)
  --lock FILE         held for each pair, where somebody else measures on the same machine
The environment's KILN_BENCH_PYTHON, interpreters separated by ':', says where the peers are; tests/bench/run sets it to its own."""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MADE = ROOT / "build/bench/models"

# As many times as fast as the best peer.
TRAIN = {  # name: (batch, optimiser, target)
    "cifar10_convnet.bn_before": (250, "adam", 2.4),
    "cifar100_vgg.relu_bn": (80, "rmsprop", 2.4),
    "fashion_cnn.bn": (64, "adam", 2.1),
    "mnist_mlp.bn_after": (32, "sgd", 3.0),
    "sigmoid_mlp.bn": (60, "rmsprop", 2.6),
}
LIGHT = {
    "resnet50": 1.12, "vgg19": 1.75, "squeezenet": 1.25, "densenet121": 1.0, "inception_v1": 1.0,
    "inception_v2": 1.0, "shufflenet": 1.0, "bvlc_alexnet": 1.0, "zfnet512": 1.0,
}  # fmt: skip
KERAS = {"mobilenet_v2": 1.0, "efficientnet_b0": 1.0}
QUANTIZED = ["resnet18", "mobilenet_v2"]  # of torchvision, for pictures of 224x224
REAL = ["resnet50", "vgg19", "bvlc_alexnet"]  # with weights in the file
# glibc gives big blocks back to the system at once, and PyTorch then spends its time on page faults.
KEEP = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33), "MALLOC_TOP_PAD_": str(1 << 26)}
IMPORTS = {"onnxruntime": "onnxruntime, onnx", "openvino": "openvino, onnx", "torch": "torch", "keras": "keras, tensorflow", "files": "onnx, numpy"}
TITLES = {"kiln": "Kiln", "onnxruntime": "onnxruntime", "openvino": "OpenVINO", "torch": "PyTorch", "keras": "Keras"}


class Refused(Exception):
    pass


# -- programs --


class Worker:
    """A peer in a process (worker.py)."""

    def __init__(self, python, peer, environment=None):
        self.peer = peer
        self.process = subprocess.Popen(
            [python, HERE / "worker.py", peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, what, **more):
        try:
            print(json.dumps({"do": what, **more}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Refused(f"{self.peer} ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(f"{self.peer}: {answer['error']}")
        return answer

    def turn(self, seconds):
        return self.ask("turn", seconds=seconds)


class Kiln:
    """`kiln bench`, started for each turn."""

    def __init__(self, options, model, *more):
        self.command = [options.kiln, "bench", str(model), "--brief", *map(str, more)]

    def turn(self, seconds):
        done = subprocess.run([*self.command, "--duration", str(seconds)], capture_output=True, text=True)
        if done.returncode:
            raise Refused(done.stderr.strip().split("\n")[0] or f"kiln ended with {done.returncode}")

        def number(pattern):
            return float(re.search(pattern, done.stdout, re.M).group(1))

        return {
            "median": number(r"^median +([\d.]+)") / 1e3,
            "minimum": number(r"^minimum +([\d.]+)") / 1e3,
            "ready": number(r"^ready +([\d.]+)") / 1e3,
            "first": number(r"first run took ([\d.]+)") / 1e3,
            "growth": number(r"^resident .*, ([\d.]+) MiB more"),
        }


class Peers:
    """Which there are, and where."""

    def __init__(self, pythons):
        self.python, self.version = {}, {}
        for peer, modules in IMPORTS.items():
            for python in pythons:
                done = subprocess.run([python, "-c", f"import {modules}"], capture_output=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
                if done.returncode == 0:
                    self.python[peer] = python
                    break
            else:
                print(f"{TITLES.get(peer, peer)} is not there ({modules}): its column is '-'", flush=True)
        for peer in self.python:
            with self.start(peer) as worker:
                self.version[peer] = worker.ask("hello")["version"]

    def start(self, peer, environment=None):
        if peer not in self.python:
            raise Refused(f"{peer} is not there")
        return Worker(self.python[peer], peer, environment)


@contextlib.contextmanager
def locked(options):
    if not options.lock:
        yield
        return
    with open(options.lock, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# -- turns --


def take_turns(options, programs, rounds=None):
    """{name: {"median", "minimum", "turns"}} of programs that take turns; who fails is left out."""
    turns = {name: [] for name in programs}
    for _ in range(rounds or options.rounds):
        for name, program in programs.items():
            if turns[name] is None:
                continue
            try:
                turns[name].append(program.turn(options.seconds))
            except Refused as why:
                print(f"    {why}", flush=True)
                turns[name] = None
    return {
        name: {
            "median": statistics.median(t["median"] for t in each),
            "minimum": min(t["minimum"] for t in each),
            "turns": [t["median"] for t in each],
        }
        for name, each in turns.items()
        if each
    }


def compare(options, peers, order, kiln, names, environment):
    """Kiln and the peers in turns, on one thing."""
    with contextlib.ExitStack() as stack:
        programs = {"kiln": kiln}
        stack.enter_context(locked(options))
        for name in names:
            try:
                worker = stack.enter_context(peers.start(name, environment.get(name)))
                worker.ask(**order)
                programs[name] = worker
            except Refused as why:
                print(f"    {why}", flush=True)
        return take_turns(options, programs)


def ratios(result):
    """How many times as fast as the best peer: the median of the rounds, in each of which the machine was about as fast for
    all of them, and by minima. None where there is no peer."""
    others = [v for k, v in result.items() if k != "kiln"]
    if "kiln" not in result or not others:
        return None, None
    kiln = result["kiln"]
    rounds = [min(peers) / own for own, *peers in zip(kiln["turns"], *(o["turns"] for o in others))]
    return statistics.median(rounds), min(o["minimum"] for o in others) / kiln["minimum"]


def show(value, digits=None):
    if value is None:
        return "-"
    if digits is not None:
        return f"{value:.{digits}f}"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def cell(result, name):
    if name not in result:
        return "-"
    return f"{show(result[name]['median'] * 1e3)} ({show(result[name]['minimum'] * 1e3)})"


def met(ratio, target):
    return "-" if ratio is None else "yes" if ratio >= target else "no"


def line(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


class Table:
    def __init__(self, title, head):
        self.title, self.head, self.rows = title, head, []

    def add(self, *cells):
        self.rows.append(cells)
        print("    " + "  ".join(str(c) for c in cells), flush=True)

    def text(self):
        return "\n".join([f"### {self.title}", "", line(self.head), "|" + "---|" * len(self.head), *map(line, self.rows), ""])


# -- what is measured --


def start_model(options, network):
    MADE.mkdir(parents=True, exist_ok=True)
    folder, variant = network.split(".")
    out = MADE / f"{network}.start.onnx"
    subprocess.run([options.kiln, "init", ROOT / "models" / folder / f"{variant}.onnxtxt", "--output", out], check=True, capture_output=True)
    return out


def chosen(options, names):
    return [n for n in names if not options.words or any(w in n for w in options.words)]


def models(options, peers, batch, real=False):
    """{name: file} of the models for inference, made where they are not there yet."""
    MADE.mkdir(parents=True, exist_ok=True)
    found = {}
    with peers.start("files") as files:
        light = Path(files.ask("light")["value"])
        for name in chosen(options, LIGHT):
            path = light / f"light_{name}.onnx"
            if real and name in REAL:
                path = MADE / f"real_{name}.onnx"
                if not path.exists():
                    files.ask("real_weights", path=str(light / f"light_{name}.onnx"), out=str(path))
            elif real:
                continue
            elif batch != 1:
                path = MADE / f"light_{name}.{batch}.onnx"
                if not path.exists():
                    files.ask("rebatch", path=str(light / f"light_{name}.onnx"), batch=batch, out=str(path))
            found[name] = path
    for name in [] if real else chosen(options, KERAS):
        path = MADE / f"{name}.onnx"
        try:
            if not path.exists():
                with peers.start("keras") as keras:
                    keras.ask("export", name=name, path=str(path))
            found[name] = path
        except Refused as why:
            print(f"{name} cannot be exported: {why}", flush=True)
    return found


def part_train(options, peers, results):
    names = ["torch", "keras"]
    table = Table("Training steps", ["network", "batch", "threads", "Kiln", *(TITLES[n] for n in names), "times as fast", "by minima", "target", "met"])
    for network in chosen(options, TRAIN):
        batch, optimizer, target = TRAIN[network]
        start = start_model(options, network)
        for threads in options.threads:
            print(f"{network}, batch {batch}, {threads} threads", flush=True)
            kiln = Kiln(options, start, "--train", "--batch", batch, "--optimizer", optimizer, "--threads", threads)
            order = {"what": "train", "network": network, "batch": batch, "threads": threads}
            result = compare(options, peers, order, kiln, names, {"torch": KEEP})
            ratio, least = ratios(result)
            results.append({"part": "train", "name": network, "batch": batch, "threads": threads, "target": target, **result})
            cells = [cell(result, n) for n in ("kiln", *names)]
            table.add(network, batch, threads, *cells, show(ratio, 2), show(least, 2), target, met(ratio, target))
    return table


def part_infer(options, peers, results):
    names = ["onnxruntime", "openvino"]
    table = Table("Inference", ["model", "batch", "threads", "Kiln", *(TITLES[n] for n in names), "times as fast", "by minima", "target", "met"])
    targets = {**LIGHT, **KERAS}
    for batch in options.batch:
        for name, path in models(options, peers, batch).items():
            for threads in options.threads:
                print(f"{name}, batch {batch}, {threads} threads", flush=True)
                order = {"what": "infer", "path": str(path), "batch": batch, "threads": threads}
                result = compare(options, peers, order, Kiln(options, path, "--batch", batch, "--threads", threads), names, {})
                ratio, least = ratios(result)
                results.append({"part": "infer", "name": name, "batch": batch, "threads": threads, "target": targets[name], **result})
                cells = [cell(result, n) for n in ("kiln", *names)]
                table.add(name, batch, threads, *cells, show(ratio, 2), show(least, 2), targets[name], met(ratio, targets[name]))
    return table


def quantized_models(options, peers):
    """{name: (file, file of integers)}; made where they are not there yet, in another place first, so that none is there in part."""
    MADE.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in chosen(options, QUANTIZED):
        floats, integers = MADE / f"torch_{name}.onnx", MADE / f"torch_{name}.quantized.onnx"
        try:
            for path, peer, order in (
                (floats, "torch", {"what": "export", "name": name}),
                (integers, "onnxruntime", {"what": "quantize", "path": str(floats)}),
            ):
                part = path.with_suffix(".part")
                if not path.exists():
                    with peers.start(peer) as worker:
                        worker.ask(**order, **{"path" if peer == "torch" else "out": str(part)})
                    part.rename(path)
            found[name] = floats, integers
        except Refused as why:
            print(f"{name} cannot be made: {why}", flush=True)
    return found


def part_quantized(options, peers, results):
    table = Table("Quantised files, one thread", ["model", "Kiln", "onnxruntime", "times as fast", "by minima"])
    for name, files in quantized_models(options, peers).items():
        for path, title in zip(files, (f"{name}, floats", f"{name}, integers of 8 bits")):
            print(title, flush=True)
            order = {"what": "infer", "path": str(path), "batch": 1, "threads": 1}
            result = compare(options, peers, order, Kiln(options, path, "--batch", 1, "--threads", 1), ["onnxruntime"], {})
            ratio, least = ratios(result)
            results.append({"part": "quantized", "name": title, "threads": 1, **result})
            table.add(title, cell(result, "kiln"), cell(result, "onnxruntime"), show(ratio, 2), show(least, 2))
    return table


def fresh(options, peers, kiln, peer, order, keys):
    """What fresh processes of Kiln and of a peer tell, by turns: for each {key: median}, or None."""
    turns = {"kiln": [], peer: []}
    for _ in range(options.rounds):
        try:
            if turns["kiln"] is not None:
                turns["kiln"].append(kiln.turn(0))
        except Refused as why:
            print(f"    {why}", flush=True)
            turns["kiln"] = None
        try:
            if turns[peer] is not None:
                with peers.start(peer) as worker:
                    turns[peer].append(worker.ask(**order))
        except Refused as why:
            print(f"    {why}", flush=True)
            turns[peer] = None
    return [each and {k: statistics.median(key(t) for t in each) for k, key in keys.items()} for each in turns.values()]


def part_memory(options, peers, results):
    table = Table("Memory: MiB by which the process has grown at most since before the model was there", ["work", "Kiln", "peer", "MiB", "Kiln / peer", "target", "met"])
    threads = max(options.threads)
    rows = []
    for network in chosen(options, TRAIN):
        batch, optimizer, _ = TRAIN[network]
        kiln = Kiln(options, start_model(options, network), "--train", "--batch", batch, "--optimizer", optimizer, "--threads", threads)
        rows.append((f"training {network}, batch {batch}", kiln, "torch", {"what": "train", "network": network, "batch": batch, "threads": threads}, 0.5))
    for real in (False, True):
        for name, path in models(options, peers, 1, real).items():
            kiln = Kiln(options, path, "--threads", threads)
            title = f"inference {name}" + (", weights in the file" if real else "")
            rows.append((title, kiln, "onnxruntime", {"what": "infer", "path": str(path), "batch": 1, "threads": threads}, 1.0))
    for title, kiln, peer, order, target in rows:
        print(title, flush=True)
        with locked(options):
            ours, theirs = (
                each and each["growth"] for each in fresh(options, peers, kiln, peer, order, {"growth": lambda a: a["growth"]})
            )
        ratio = ours / theirs if ours and theirs else None
        results.append({"part": "memory", "name": title, "kiln": ours, peer: theirs, "target": target})
        table.add(title, show(ours, 1), TITLES[peer], show(theirs, 1), show(ratio, 2), target, met(-ratio if ratio else None, -target))
    return table


def process_times(command, rounds):
    """Medians of wall and CPU milliseconds of a process."""
    wall, cpu = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, code, usage = os.wait4(child.pid, 0)
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((usage.ru_utime + usage.ru_stime) * 1e3)
        child.returncode = os.waitstatus_to_exitcode(code)
        if child.returncode:
            raise Refused(f"kiln ended with {child.returncode}")
    return statistics.median(wall), statistics.median(cpu)


def part_load(options, peers, results):
    table = Table("Loading: milliseconds in a fresh process", ["work", "Kiln: ready", "and first run", "onnxruntime: session", "and first run", "target", "met"])
    threads = max(options.threads)
    for real in (False, True):
        for name, path in models(options, peers, 1, real).items():
            title = name + (", weights in the file" if real else "")
            print(title, flush=True)
            kiln, order = Kiln(options, path, "--threads", threads), {"what": "infer", "path": str(path), "batch": 1, "threads": threads}
            keys = {"ready": lambda a: a["ready"] * 1e3, "ran": lambda a: (a["ready"] + a["first"]) * 1e3}
            with locked(options):
                ours, theirs = (each or {} for each in fresh(options, peers, kiln, "onnxruntime", order, keys))
            ready, ran, session, session_ran = ours.get("ready"), ours.get("ran"), theirs.get("ready"), theirs.get("ran")
            fast = None if ran is None or session is None else session / ran
            results.append({"part": "load", "name": title, "ready": ready, "first": ran, "session": session, "session_first": session_ran})
            table.add(title, *(show(v, 1) for v in (ready, ran, session, session_ran)), "first run < session", met(fast, 1))
    small = ROOT / "models/mnist_mlp/keras.onnx"
    if not options.words:
        with locked(options):
            wall, cpu = process_times([options.kiln, "run", str(small)], 20)
        results.append({"part": "load", "name": "kiln run", "wall": wall, "cpu": cpu})
        table.add("`kiln run` of models/mnist_mlp/keras.onnx, whole process", f"{wall:.1f} ({cpu:.1f} of CPUs)", "-", "-", "-", "< 10", met(10 / wall, 1))
    return table


# -- many convolutions --


def shapes():
    """name: arguments of worker.py's `convolution`."""
    found = {}

    def add(batch, channels, size, filters, kernel, stride=1, dilation=1, group=1, pad=None):
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        size = (size, size) if isinstance(size, int) else size
        pad = [(k - 1) // 2 * dilation for k in kernel] if pad is None else [pad, pad]
        name = f"{batch}x{channels}@{size[0]}x{size[1]} -> {filters}, {kernel[0]}x{kernel[1]}"
        name += f" stride {stride}" * (stride > 1) + f" dilation {dilation}" * (dilation > 1) + f" group {group}" * (group > 1)
        found[name] = {
            "batch": batch, "channels": channels, "size": size, "filters": filters, "kernel": kernel,
            "stride": stride, "dilation": dilation, "group": group, "pad": pad,
        }  # fmt: skip

    for batch in (1, 7):
        for kernel in (1, 3, 5, 7):
            add(batch, 64, 28, 64, kernel)
            add(batch, 64, 28, 64, kernel, stride=2)
            add(batch, 37, 29, 43, kernel)
        add(batch, 3, 64, 17, 7, stride=2)
        add(batch, 1, 28, 32, 5, pad=0)
        add(batch, 3, 32, 16, 3)
        add(batch, 32, 12, 32, 4, pad=1)
        add(batch, 64, 28, 64, 3, dilation=2)
        add(batch, 37, 31, 41, 3, dilation=3)
        add(batch, 48, 33, 48, 5, dilation=2)
        for group in (2, 4, 8, 16):
            add(batch, 64, 28, 64, 3, group=group)
        add(batch, 60, 27, 90, 3, group=3)
        add(batch, 30, 28, 60, 1, group=3)
        for kernel in (3, 5, 7):
            add(batch, 96, 56, 96, kernel, group=96)
            add(batch, 96, 56, 96, kernel, group=96, stride=2)
        add(batch, 37, 23, 37, 3, group=37)
        add(batch, 64, 28, 128, 3, group=64)
        add(batch, 96, 28, 96, 3, group=96, dilation=2)
        add(batch, 64, (1, 200), 64, (1, 7))
        add(batch, 64, 28, 64, (7, 1))
        add(batch, 256, 14, 256, 3)
        add(batch, 512, 7, 512, 3)
        add(batch, 256, 14, 1024, 1)
        add(batch, 1024, 14, 256, 1)
        add(batch, 256, 56, 128, 1, stride=2)
        add(batch, 16, 112, 16, 3)
        add(batch, 5, 17, 3, 3)
    return found


def sweep(options, peers, results):
    table = Table("Single convolutions beside onnxruntime, milliseconds", ["convolution", "threads", "Kiln", "onnxruntime", "times as fast", "by minima"])
    rows = []
    MADE.mkdir(parents=True, exist_ok=True)
    with peers.start("files") as files:
        for name, shape in shapes().items():
            path = MADE / "sweep" / (re.sub(r"[^0-9a-z]+", "_", name) + ".onnx")
            path.parent.mkdir(exist_ok=True)
            if options.words and not any(w in name for w in options.words):
                continue
            if not path.exists():
                files.ask("convolution", out=str(path), **shape)
            rows.append((name, path))
    found = []
    for threads in options.threads:
        with peers.start("onnxruntime") as worker:
            for name, path in rows:
                with locked(options):
                    worker.ask("infer", path=str(path), batch=1, threads=threads)
                    result = take_turns(options, {"kiln": Kiln(options, path, "--threads", threads), "onnxruntime": worker})
                ratio, least = ratios(result)
                results.append({"part": "sweep", "name": name, "threads": threads, **result})
                print(f"{show(least, 2):>6}  {name}, {threads} threads", flush=True)
                found.append((least or 0, (name, threads, cell(result, "kiln"), cell(result, "onnxruntime"), show(ratio, 2), show(least, 2))))
    table.rows = [row for _, row in sorted(found, reverse=True)]
    return table


# -- the page --


def machine(options):
    """One line: the CPU, what it has, the date."""
    with open("/proc/cpuinfo") as file:
        info = file.read()
    name = re.search(r"^model name\s*: (.*)$", info, re.M)
    flags = re.search(r"^flags\s*: (.*)$", info, re.M)
    widest = "AVX-512" if flags and " avx512f" in flags[1] else "AVX2" if flags and " avx2" in flags[1] else platform.machine()
    level = os.environ.get("KILN_ISA")
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal: +(\d+)", file.read())[1]) / 1048576
    cpus = len(os.sched_getaffinity(0))
    when = datetime.date.today().isoformat()
    return f"{name[1] if name else platform.processor()}, {cpus} CPUs, {widest}, {memory:.0f} GiB, {when}" + (f"; KILN_ISA={level}" if level else "")


def page(options, peers, tables):
    versions = ", ".join(f"{TITLES[p]} {v}" for p, v in peers.version.items() if p in TITLES)
    head = [
        "## Kiln beside its peers",
        "",
        f"{machine(options)}. {versions}. Milliseconds: the median of {options.rounds} turns' medians, in brackets the shortest run; the programs",
        f"took turns of {options.seconds:g} s. The ratio is to the best peer, the median of the rounds. PyTorch runs channels-last and keeps its memory.",
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(t.text() for t in tables)


PARTS = {"train": part_train, "infer": part_infer, "quantized": part_quantized, "memory": part_memory, "load": part_load}


def numbers(text):
    return [int(n) for n in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.split("Usage: ")[1], add_help=True)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--batch", type=numbers, default=[1, 32])
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kiln", default=str(ROOT / "build/tools/kiln"))
    parser.add_argument("--output", type=Path, default=ROOT / "build/bench/table.md")
    parser.add_argument("--lock")
    options = parser.parse_intermixed_args()
    options.parts = options.only.split(",")
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part '{part}', only {', '.join(PARTS)}")
    return options


def main():
    options = parse()
    peers = Peers([p for p in os.environ.get("KILN_BENCH_PYTHON", sys.executable).split(":") if p])
    tables, results = [], []
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for work in [sweep] if options.sweep else [PARTS[p] for p in options.parts]:
        tables.append(work(options, peers, results))
        options.output.write_text(page(options, peers, tables))
        options.output.with_suffix(".json").write_text(json.dumps({"machine": machine(options), "versions": peers.version, "results": results}, indent=1))
    print("\n" + page(options, peers, tables))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
