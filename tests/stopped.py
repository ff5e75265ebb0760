"""Trainings that end early: by signals, killed, by a loss that is no number, on a full disk. What was done is kept.
Usage: stopped.py KILN EXAMPLE, which is models/fine_tune.c. Prints a PASS or FAIL line for each test."""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx

import harness
from harness import KILN, MODELS, attempt, kiln

EXAMPLE = Path(sys.argv[2]).resolve()
WORDS = ["train", MODELS / "mnist_mlp/bn_before.onnxtxt", "--data", "fashion-mnist:train[0:400]", "--batch", 10, "--threads", 1, "--seed", 5]


def heed_signals():
    """What started the tests may have turned signals off, as a shell does in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(*words):
    return subprocess.Popen([KILN, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals)


def lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def wait_for(path, n, process):
    """Until the file has so many lines, or the process has ended."""
    while len(lines(path)) < n and process.poll() is None:
        time.sleep(0.01)


def untimed(path):
    """A history without its seconds."""
    return [line.rsplit(",", 1)[0] for line in lines(path)]


def signals():
    """SIGINT, SIGTERM and SIGHUP leave a model, whole rows and a history, and end as signals do."""
    for number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")):
        for path in sorted(Path().rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        p = start(*WORDS, "--epochs", 100000, "--output", "m.onnx", "--history", "h.csv", "--step-log", "s.csv", "--figure", "f.svg", "--checkpoint", "ck")
        wait_for("s.csv", 150, p)  # in the fourth epoch
        p.send_signal(number)
        out, err = p.communicate(timeout=120)
        if p.returncode != -number:
            return f"{name}: ended with {p.returncode}: {err}"
        last = lines("s.csv")[-1].split(",")
        if f"stopped by {name} after {len(lines('h.csv')) - 1} epochs, {last[0]} steps" not in err or f"m.onnx holds the model after step {last[0]}" not in err:
            return f"{name}: says {err}, the last row is {last}"
        if len(err.splitlines()) != 1 or not err.endswith("; kept: h.csv, f.svg, s.csv, ck/checkpoint.npz\n"):
            return f"{name}: does not tell all that is kept in a line: {err}"
        if len(last) != 3 or not Path("s.csv").read_text().endswith("\n") or len(lines("h.csv")) < 4 or not Path("f.svg").exists():
            return f"{name}: the logs are not whole"
        onnx.checker.check_model("m.onnx", full_check=True)


def ignored():
    """A signal that nohup has turned off stays so."""
    p = subprocess.Popen(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", KILN, *map(str, WORDS), "--epochs", "3", "--output", "m.onnx", "--step-log", "s.csv"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    wait_for("s.csv", 60, p)
    p.send_signal(signal.SIGHUP)
    err = [line for line in p.communicate(timeout=120)[1].splitlines() if b"running statistics" not in line]  # of so short a training
    return f"ended with {p.returncode}: {err}" if p.returncode or err else None


def stopped_at_the_best():
    """With --save-best the best model so far stays, not the one of the last step."""
    p = start(*WORDS, "--epochs", 100000, "--output", "m.onnx", "--save-best", "loss", "--step-log", "s.csv")
    wait_for("s.csv", 150, p)
    p.terminate()
    err = p.communicate(timeout=120)[1]
    return None if "m.onnx holds the best model of epoch " in err else f"says {err}"


def killed():
    """Whenever it is killed, inside a save, too: going on gives the same bytes, history and log."""
    words = [*WORDS, "--validation", "fashion-mnist:test[0:50]", "--epochs", 4, "--save-best", "val_loss", "--quiet"]
    outputs = ["--output", "m.onnx", "--history", "h.csv", "--step-log", "s.csv"]
    begin = time.monotonic()
    kiln(*words, *outputs)
    seconds = time.monotonic() - begin
    need = Path("m.onnx").read_bytes(), untimed("h.csv"), lines("s.csv")
    moments = random.Random(1)
    for k in range(10):
        for path in sorted(Path().rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for again in range(100):
            with_checkpoint = ["--resume", "ck"] if Path("ck/checkpoint.npz").exists() else ["--checkpoint", "ck"]
            p = start(*words, *outputs, *with_checkpoint, "--checkpoint-steps", 3)
            try:
                p.wait(moments.random() * seconds if again < 4 else 100)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGTERM if k % 3 == 2 else signal.SIGKILL)
            err = p.communicate(timeout=100)[1]
            if p.returncode == 0:
                break
            if p.returncode not in (-signal.SIGKILL, -signal.SIGTERM):
                return f"ended with {p.returncode}: {err}"
        got = Path("m.onnx").read_bytes(), untimed("h.csv"), lines("s.csv")
        wrong = [what for what, g, n in zip(("the model", "the history", "the log"), got, need) if g != n]
        if wrong:
            return f"round {k}: {wrong[0]} is another one"
        left = sorted(str(p) for p in Path().rglob("*") if p.is_file())
        if left != ["ck/checkpoint.npz", "h.csv", "m.onnx", "s.csv"]:
            return f"round {k}: leaves {left}"


def archive():
    """NumPy reads a checkpoint, and finds in it what the training had."""
    kiln(*WORDS, "--epochs", 2, "--output", "m.onnx", "--checkpoint", "ck")
    z = np.load("ck/checkpoint.npz")
    values = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load("m.onnx").graph.initializer}
    if not bytes(z["about"]).startswith(b"kiln checkpoint 1\nmodel 'mnist_mlp_bn_before'") or z["fit/epochs"] != 2 or z["fit/steps"] != 80:
        return f"is of {bytes(z['about'])}, {z['fit/epochs']}, {z['fit/steps']}"
    of = [k[len("value/") :] for k in z.files if k.startswith("value/")]
    if not of or any(not np.array_equal(z[f"value/{name}"], values[name]) for name in of):
        return "the values are not those of the model"
    return None if np.any(z["velocity/dense1.weight"]) and z["fit/history"].shape[0] == 2 else "what the optimiser keeps is missing"


def edited():
    """A checkpoint with numbers that no training counts to is refused."""
    kiln(*WORDS, "--epochs", 1, "--output", "m.onnx", "--checkpoint", "ck")
    whole = dict(np.load("ck/checkpoint.npz"))
    for name, value in (("epochs", -1), ("pass", -1), ("samples_of_pass", 401), ("steps_of_epoch", 2**62), ("wait", -(2**63)), ("ended", 2), ("steps", 2**62),
                        ("learning_rate", np.nan), ("seconds", np.inf), ("sums", np.nan)):  # fmt: skip
        array = whole[f"fit/{name}"].copy()
        array[0] = value
        np.savez("ck/checkpoint.npz", **{**whole, f"fit/{name}": array})
        said = kiln(*WORDS, "--epochs", 2, "--output", "n.onnx", "--resume", "ck", code=5)
        if f"is damaged: 'fit/{name}' is " not in said or Path("n.onnx").exists():
            return f"{name}: says {said}"
    return None


def former():
    """A checkpoint that an earlier version wrote, which said less, is taken: one warning names what it does not say. So is another setting, by its name."""
    keys = "kiln model optimizer schedule loss0 dropout_seed measures data normalize augmentation batch order seed".split()
    kiln(*WORDS, "--epochs", 2, "--output", "whole.onnx", "--quiet")
    kiln(*WORDS, "--epochs", 1, "--output", "m.onnx", "--checkpoint", "ck", "--quiet")
    arrays = dict(np.load("ck/checkpoint.npz"))
    about = b"".join(line for line in bytes(arrays["about"]).splitlines(True) if line.split(b" ")[0].decode() in keys)
    if about.count(b"\n") != len(keys):
        return f"has the lines {about}"
    np.savez("ck/checkpoint.npz", **{**arrays, "about": np.frombuffer(about, np.uint8)})
    said = kiln(*WORDS, "--epochs", 2, "--output", "m.onnx", "--resume", "ck", "--quiet")
    if said.count("warning: ") != 1 or "an earlier version wrote the checkpoint, which does not say 'optimizer_options', " not in said:
        return f"says {said}"
    if Path("m.onnx").read_bytes() != Path("whole.onnx").read_bytes():
        return "the model is another one"
    said = kiln(*WORDS, "--epochs", 3, "--output", "m.onnx", "--resume", "ck", "--quiet", "--normalize", "none")
    if "warning: " in said:
        return f"tells of no normalisation, which is what there was: {said}"
    said = kiln(*WORDS, "--epochs", 4, "--output", "m.onnx", "--resume", "ck", "--quiet", "--optimizer", "adam:learning_rate=0.01,beta_2=0.99")
    told = [line.split('now it is "')[1].split('"')[0] for line in said.splitlines() if "warning: " in line]
    return None if told == ["optimizer_options beta_2=0.99", "learning_rate 0.01"] else f"says {said}"


def refused():
    """A checkpoint that is there is not begun over, none is made where one is looked for, and epochs count those that lie behind."""
    kiln(*WORDS, "--epochs", 2, "--output", "m.onnx", "--checkpoint", "ck", "--step-log", "s.csv")
    before = Path("ck/checkpoint.npz").read_bytes(), lines("s.csv")
    for words, code, says in (
        (["--epochs", 1, "--checkpoint", "ck"], 2, "there is a checkpoint already: --resume goes on from it"),
        (["--epochs", 1, "--resume", "none"], 7, "there is no checkpoint to go on from"),
        (["--resume", "ck"], 2, "2 epochs lie behind, and epochs is 1"),
        (["--epochs", 0, "--resume", "ck"], 64, "--resume needs --epochs above 0"),
        (["--epochs", 3, "--resume", "ck", "--optimizer", "adam:amsgrad=1"], 5, "keeps 'velocity_hat'"),
    ):
        said = kiln(*WORDS, *words, "--output", "n.onnx", "--step-log", "s.csv", code=code)
        if says not in said or "warning: " in said or Path("none").exists() or Path("n.onnx").exists():
            return f"{words}: says {said}"
    if (Path("ck/checkpoint.npz").read_bytes(), lines("s.csv")) != before:
        return "the checkpoint or the log is another one"
    return None


def results_apart():
    """Where the model cannot be written the history still is, and the reason is what the command ends with."""
    os.mkdir("d")
    p = start(*WORDS, "--epochs", 3, "--output", "d/m.onnx", "--history", "h.csv", "--step-log", "s.csv")
    wait_for("s.csv", 60, p)
    os.rename("d", "e")
    err = p.communicate(timeout=120)[1]
    last = err.splitlines()[-1]
    told = re.fullmatch("kiln: training ended after 3 epochs, 120 steps: 'd/m.onnx' has no directory [^;]*; kept: h.csv, s.csv; d/m.onnx is not written", last)
    return None if p.returncode == 7 and len(lines("h.csv")) == 4 and told else f"ended with {p.returncode}, {len(lines('h.csv'))} rows: {err}"


LINE = ["train", "m.onnxtxt", "--data", "npz:d.npz", "--loss", "mean_squared_error", "--epochs", 1000, "--output", "o.onnx", "--history", "h.csv", "--step-log", "s.csv"]


def make_line():
    """A model of two weights, and what it is to learn."""
    x = np.arange(80).reshape(40, 2).astype(np.float32) % 7
    np.savez("d.npz", x=x, y=x.sum(1) + 0.5)
    Path("m.onnxtxt").write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 2] x) => (float[N, 1] y) <float[2, 1] w = {1, 2}> { y = MatMul (x, w) }')


def diverged():
    """A loss that is no number: the model of the last epoch that was complete, its history, and a line that tells why and what there is."""
    make_line()
    err = kiln(*LINE, "--batch", 20, "--optimizer", "sgd:learning_rate=0.1", "--figure", "f.svg", "--tensorboard", "tb", "--quiet", code=9)
    if len(err.splitlines()) != 1 or not err.endswith("; kept: h.csv, f.svg, s.csv, tb\n") or ": the loss is infinite: " not in err:
        return f"says {err}"
    epochs = len(lines("h.csv")) - 1
    if epochs < 1 or f"training ended after {epochs} epochs" not in err or not Path("f.svg").exists():
        return f"{epochs} epochs: says {err}"
    held = [int(w.split(" holds the model of epoch ")[1].split(";")[0]) for w in err.splitlines() if " holds the model of epoch " in w]
    w = onnx.numpy_helper.to_array(onnx.load("o.onnx").graph.initializer[0])
    return None if held and 1 <= held[0] <= epochs and np.all(np.isfinite(w)) else f"says {err}"


def full_log():
    """A log that cannot be written ends the training, which a line tells, with the reason and what there is all the same."""
    make_line()
    words = [*LINE, "--batch", 1, "--optimizer", "sgd:learning_rate=0.0001", "--quiet"]
    done = subprocess.run(["sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh", KILN, *map(str, words)], capture_output=True, text=True)
    epochs = len(lines("h.csv")) - 1
    found = re.fullmatch(rf"kiln: training ended after {epochs} epochs, (\d+) steps: s.csv: cannot be written: File too large; o.onnx holds the model after step (\d+); kept: h.csv\n",
                         done.stderr)  # fmt: skip
    return None if done.returncode == 7 and found and found[1] == found[2] and epochs >= 1 and Path("o.onnx").exists() else f"ended with {done.returncode}: {done.stderr}"


def too_early():
    """A signal before the first step is told, and nothing is written."""
    p = start(*WORDS[:2], "--data", "fashion-mnist:train", "--batch", 60000, "--epochs", 5, "--output", "m.onnx", "--step-log", "s.csv", "--threads", 1)
    wait_for("s.csv", 1, p)
    p.send_signal(signal.SIGTERM)
    err = p.communicate(timeout=120)[1]
    return None if p.returncode == -signal.SIGTERM and err == "kiln: stopped by SIGTERM before the first step\n" and not Path("m.onnx").exists() else f"ended with {p.returncode}: {err}"


def full_disk():
    """A checkpoint that cannot be written is a warning; what can be is written."""
    os.mkdir("ck")
    kiln(*WORDS, "--epochs", 1, "--output", "m.onnx", "--checkpoint", "ck", "--quiet")
    before = Path("ck/checkpoint.npz").read_bytes()
    done = subprocess.run(["sh", "-c", 'ulimit -f 2500; trap "" XFSZ; exec "$@"', "sh", KILN, *map(str, WORDS), "--epochs", "2", "--output", "n.onnx", "--resume", "ck",
                           "--quiet"], capture_output=True, text=True)  # fmt: skip
    if done.returncode or "warning: ck/checkpoint.npz: the checkpoint could not be written" not in done.stderr:
        return f"ended with {done.returncode}: {done.stderr}"
    return None if Path("ck/checkpoint.npz").read_bytes() == before and Path("n.onnx").exists() else "the checkpoint is another one"


def example():
    """models/fine_tune.c: its own loop, stopped and gone on with, ends where it ends without a break."""
    model = MODELS / "mnist_mlp/bn_before.onnxtxt"
    kiln("init", model, "--output", "start.onnx")
    for name, stops in (("whole", [60]), ("parts", [25, 60])):
        for steps in stops:  # of 25 steps 20 are in the checkpoint
            said = subprocess.run([EXAMPLE, "start.onnx", f"{name}.onnx", f"{name}.npz", str(steps)], check=True, capture_output=True, text=True).stdout
    losses = [float(line.split()[-1]) for line in said.splitlines()]
    if len(losses) != 40 or losses[-1] > 0.5:
        return f"{len(losses)} losses, the last one is {losses[-1]}"
    return None if Path("whole.onnx").read_bytes() == Path("parts.onnx").read_bytes() else "it ends elsewhere"


for test in (signals, ignored, stopped_at_the_best, killed, archive, edited, former, refused, results_apart, diverged, full_log, too_early, full_disk, example):
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        attempt(test.__name__, test)
        os.chdir("/")
sys.exit(harness.failures > 0)
