"""Kiln beside PyTorch on whole networks, from equal weights and batches; run by hand. Usage: parity.py KILN [NETWORK]...
Needs torch, torchvision, transformers, onnx and onnxscript, and minutes. Each network is exported in training mode as a user would, and
trained for 20 steps in Kiln, in PyTorch and, as the judge, in PyTorch with float64. A row for each network and optimizer:
  exporter  PyTorch's old one, or its new one (dynamo) where the old one does not know the network
  trained   how many parameters Kiln says it trains, of how many PyTorch's network has
  apart     the largest relative difference of the loss to PyTorch's in 20 steps
  rounding  PyTorch's own to float64
And with --exact, in one step each from PyTorch's weights after 0, 5, 10 and 15 steps of SGD, the median distance to float64, Kiln's / PyTorch's:
  step loss      of the loss, relative
  step gradient  of the gradient of all parameters, relative to its length
A ReLU whose input is as near to 0 as rounding goes is open here and closed there, which alone moves the gradient by a thousandth: networks with
ReLU are judged by the single steps (1e-6 and 1e-4, or thrice PyTorch's), the others by the run, too (1e-4)."""

import contextlib
import copy
import csv
import io
import os
import re
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
import torchvision
import transformers
from onnx import numpy_helper
from torch import nn

import harness
from harness import attempt, kiln

BATCH, STEPS, FORCED = 8, 20, (0, 5, 10, 15)
RATE = 1024.0  # of the single steps: the weights' rounding must not cover the gradient
CLOSE, LOSS_CLOSE, GRADIENT_CLOSE = 1e-4, 1e-6, 1e-4
EPSILON = 1e-7
CLASSES, WORDS, LENGTH = 10, 200, 32
OPTIMIZERS = {
    "sgd": ("sgd:learning_rate=0.01", lambda p: torch.optim.SGD(p, lr=0.01)),
    "adam": ("adam:learning_rate=0.001", lambda p: torch.optim.Adam(p, lr=0.001)),
}


class UNet(nn.Module):
    """Two levels down and up again, with what was there joined to it."""

    def __init__(self, width=16, activation=nn.ReLU, pool=nn.MaxPool2d):
        super().__init__()

        def block(i, o):
            return nn.Sequential(*(m for a in (i, o) for m in (nn.Conv2d(a, o, 3, padding=1), nn.BatchNorm2d(o), activation())))

        self.pool = pool(2)
        self.down = nn.ModuleList([block(3, width), block(width, 2 * width), block(2 * width, 4 * width)])
        self.rise = nn.ModuleList([nn.ConvTranspose2d(4 * width, 2 * width, 2, 2), nn.ConvTranspose2d(2 * width, width, 2, 2)])
        self.up = nn.ModuleList([block(4 * width, 2 * width), block(2 * width, width)])
        self.head = nn.Conv2d(width, CLASSES, 1)

    def forward(self, x):
        a = self.down[0](x)
        b = self.down[1](self.pool(a))
        c = self.down[2](self.pool(b))
        b = self.up[0](torch.cat([b, self.rise[0](c)], 1))
        return self.head(self.up[1](torch.cat([a, self.rise[1](b)], 1)))


class BiLSTM(nn.Module):
    """Two layers in both directions over words, a class for each."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 64)
        self.lstm = nn.LSTM(64, 64, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


class GRUAttention(nn.Module):
    """Attention over what a GRU says of each word, a class for the whole."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 64)
        self.gru = nn.GRU(64, 96, batch_first=True)
        self.score = nn.Sequential(nn.Linear(96, 32), nn.Tanh(), nn.Linear(32, 1))
        self.head = nn.Linear(96, CLASSES)

    def forward(self, x):
        h = self.gru(self.embedding(x))[0]
        return self.head((torch.softmax(self.score(h), 1) * h).sum(1))


class GPT2(nn.Module):
    """GPT-2 with fewer words; `small` has its 12 layers of 768."""

    def __init__(self, **size):
        super().__init__()
        config = transformers.GPT2Config(vocab_size=WORDS, n_positions=LENGTH, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, use_cache=False, **size)
        self.model = transformers.GPT2LMHeadModel(config)

    def forward(self, x):
        return self.model(x, use_cache=False).logits


def vision(name, **words):
    return lambda: torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **words)


def vit():
    return torchvision.models.VisionTransformer(image_size=32, patch_size=4, num_layers=6, num_heads=4, hidden_dim=128, mlp_dim=256, num_classes=CLASSES)


# what makes it, the side of its images (0: words), whether each pixel or word has a label
NETWORKS = {
    "resnet18": (vision("resnet18"), 64, False),
    "mobilenet_v2": (vision("mobilenet_v2", dropout=0.0), 64, False),
    "convnext_tiny": (vision("convnext_tiny", stochastic_depth_prob=0.0), 64, False),
    "unet": (UNet, 32, True),
    "unet_smooth": (lambda: UNet(activation=nn.SiLU, pool=nn.AvgPool2d), 32, True),
    "vit": (vit, 32, False),
    "bilstm": (BiLSTM, 0, True),
    "gru_attention": (GRUAttention, 0, False),
    "gpt2": (lambda: GPT2(n_layer=4, n_embd=128, n_head=4), 0, True),
    "gpt2_small": (GPT2, 0, True),
}


def samples(side, dense):
    random = np.random.default_rng(5)
    n = BATCH * STEPS
    x = random.normal(size=(n, 3, side, side)).astype(np.float32) if side else random.integers(0, WORDS, (n, LENGTH))
    shape = (n, *((side, side) if side else (LENGTH,))) if dense else (n,)
    y = random.integers(0, CLASSES, shape)
    if side:  # the mean of the image tells of the label
        x += (y[:, None] if dense else y[:, None, None, None]).astype(np.float32) / CLASSES
    return x, y


def export(net, x, path):
    """The exporter that keeps BatchNormalization: PyTorch's new one may take it apart, the old one does not know all operators."""
    net = copy.deepcopy(net).train()
    names = {"input_names": ["x"], "output_names": ["y"], "training": torch.onnx.TrainingMode.TRAINING}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(net, (x,), path, dynamo=False, do_constant_folding=False, **names)
        return "torchscript"
    except Exception:
        torch.onnx.export(net, (x,), path, dynamo=True, external_data=False, verbose=False, **names)
        return "dynamo"


def loss_of(net, x, y):
    z = net(x)
    return nn.functional.cross_entropy(z.transpose(1, 2) if z.dim() == 3 else z, y)


def follow(net, x, y, make):
    """PyTorch's losses, and the networks before the steps that are judged by themselves."""
    net = copy.deepcopy(net)
    optimizer, losses, kept = make(net.parameters()), [], {}
    for i in range(STEPS):
        if i in FORCED:
            kept[i] = copy.deepcopy(net)
        for group in optimizer.param_groups:
            if "eps" in group:  # Keras adds it before the correction of the bias, PyTorch behind
                group["eps"] = EPSILON / (1 - group["betas"][1] ** (i + 1)) ** 0.5
        optimizer.zero_grad()
        loss = loss_of(net, x[i * BATCH :][:BATCH], y[i * BATCH :][:BATCH])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), kept


def train(path, x, y, optimizer, *options):
    """Kiln's losses and how many parameters it trains; the model is in end.onnx."""
    np.savez("data.npz", x=x, y=y)
    axis = ["--class-axis", 1] if y.ndim == 3 else []
    said = kiln(
        *("train", path, "--data", "npz:data.npz", "--no-shuffle", "--batch", BATCH, "--optimizer", optimizer, "--seconds", 600),
        *("--loss", "sparse_categorical_crossentropy:from_logits=1", "--step-log", "steps.csv", "--output", "end.onnx", *axis, *options),
    )
    with open("steps.csv", newline="") as f:
        losses = np.array([float(row["loss"]) for row in csv.DictReader(f)])
    return losses, int(re.search(r"(\d+) parameters to train", said)[1])


def weights(path):
    return {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}


def gradient(path, net):
    """What Kiln's step subtracted, in the order of PyTorch's parameters; found by name, else by value, perhaps transposed."""
    start, end, found, lost = weights(path), weights("end.onnx"), [], []
    for name, p in net.named_parameters():
        want, use = p.detach().numpy(), None
        for k in [name] if name in start else start:
            for turn in (lambda a: a, lambda a: a.T):
                if k in end and use is None and np.array_equal(turn(start[k]).ravel(), want.ravel()):
                    use = (turn(start[k].astype(float)) - turn(end[k].astype(float))) / RATE
        if use is None:
            lost.append(name)
        found.append(np.full(want.size, np.nan) if use is None else use.ravel())
    return found, lost


def autograd(net, x, y):
    net = copy.deepcopy(net)
    loss = loss_of(net, x, y)
    loss.backward()
    return loss.item(), [p.grad.numpy().astype(float).ravel() for p in net.parameters()]


def apart(got, want):
    """Of all that is known, relative to the whole's length."""
    got, want = np.concatenate(got), np.concatenate(want)
    known = ~np.isnan(got)
    return float(np.linalg.norm((got - want)[known]) / np.linalg.norm(want[known]))


def steps(kept, x, y):
    """The medians of the single steps: of the loss Kiln's and PyTorch's, of the gradient likewise; and what was not found."""
    each, lost = [], []
    for i, net in kept.items():
        bx, by = x[i * BATCH :][:BATCH], y[i * BATCH :][:BATCH]
        export(net, bx, "step.onnx")
        loss, _ = train("step.onnx", bx.numpy(), by.numpy(), f"sgd:learning_rate={RATE}", "--exact")
        mine, lost = gradient("step.onnx", net)
        single, single_gradient = autograd(net, bx, by)
        true, true_gradient = autograd(copy.deepcopy(net).double(), bx.double() if bx.is_floating_point() else bx, by)
        each.append([abs(loss[0] / true - 1), abs(single / true - 1), apart(mine, true_gradient), apart(single_gradient, true_gradient)])
    return np.median(each, 0), lost


def beside(name):
    make, side, dense = NETWORKS[name]
    torch.manual_seed(1)
    net = make().train()
    with torch.no_grad():
        for p in net.parameters():  # zeros, and what is equal in several layers, the exporter takes away
            p += 0.01 * torch.randn_like(p)
    x, y = map(torch.tensor, samples(side, dense))
    exporter = export(net, x[:BATCH], "start.onnx")
    kinks = any(isinstance(m, (nn.ReLU, nn.ReLU6)) for m in net.modules())
    everything, problem = sum(p.numel() for p in net.parameters()), ""
    for which, (words, optimizer) in OPTIMIZERS.items():
        mine, trained = train("start.onnx", x.numpy(), y.numpy(), words)
        single, kept = follow(net, x, y, optimizer)
        true, _ = follow(copy.deepcopy(net).double(), x.double() if side else x, y, optimizer)
        run, rounding = np.max(np.abs(mine / single - 1)), np.max(np.abs(single / true - 1))
        row = f"{name:14} {exporter:12} {trained:9} of {everything:9} {which:5} {run:9.1e} {rounding:9.1e}"
        if which == "sgd":
            middle, lost = steps(kept, x, y)
            row += " {:9.1e} / {:7.1e} {:9.1e} / {:7.1e}".format(*middle)
            good = middle[0] <= max(LOSS_CLOSE, 3 * middle[1]) and middle[2] <= max(GRADIENT_CLOSE, 3 * middle[3])
            problem += "" if good else " the steps are apart"
            problem += f" not found: {lost}" if lost else ""
        print(row, flush=True)
        problem += "" if kinks or run <= CLOSE else f" {which} is apart"
        problem += "" if trained == everything else f" {trained} of {everything} parameters train"
    return problem


warnings.simplefilter("ignore")
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    print(f"{'network':14} {'exporter':12} {'trained':22} {'':5} {'apart':>9} {'rounding':>9} {'step loss':>19} {'step gradient':>19}")
    for name in sys.argv[2:] or NETWORKS:
        attempt(name, beside, name)
sys.exit(harness.failures != 0)
