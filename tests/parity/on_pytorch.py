"""PyTorch's networks for run.py, exported in training mode as a user would."""

import contextlib
import copy
import io

import numpy as np
import torch
import torchvision
import transformers
from torch import nn

import network
from network import STEPS

EPSILON = 1e-7
CLASSES, WORDS, LENGTH = 10, 200, 32
OPTIMIZERS = {"sgd": lambda p: torch.optim.SGD(p, lr=0.01), "adam": lambda p: torch.optim.Adam(p, lr=0.001)}


class UNet(nn.Module):
    """Two levels down and up again, with what was there joined to it."""

    def __init__(self, width=16):
        super().__init__()

        def block(i, o):
            return nn.Sequential(*(m for a in (i, o) for m in (nn.Conv2d(a, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())))

        self.pool = nn.MaxPool2d(2)
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
    """GPT-2: small, as it is, but for what is said; without Dropout."""

    def __init__(self, **size):
        super().__init__()
        config = transformers.GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=None, eos_token_id=None, **size)
        self.model = transformers.GPT2LMHeadModel(config)

    def forward(self, x):
        return self.model(x, use_cache=False).logits


def vision(name, **words):
    return lambda: torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **words)


def smooth(make):
    """The same without kinks, so that rounding cannot decide on which side of one a number is."""

    def made():
        net = make()
        for m in [*net.modules()]:
            for name, child in m.named_children():
                if isinstance(child, (nn.ReLU, nn.ReLU6)):
                    setattr(m, name, nn.SiLU())
                if isinstance(child, nn.MaxPool2d):
                    setattr(m, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
        return net

    return made


def vit():
    size = {"image_size": 32, "patch_size": 4, "num_layers": 6, "num_heads": 4, "hidden_dim": 128, "mlp_dim": 256}
    return torchvision.models.VisionTransformer(**size, num_classes=CLASSES)


def samples(n, side, dense, words):
    random = np.random.default_rng(5)
    x = random.normal(size=(n, 3, side, side)).astype(np.float32) if side else random.integers(0, words, (n, LENGTH))
    shape = (n, *((side, side) if side else (LENGTH,))) if dense else (n,)
    y = random.integers(0, CLASSES, shape)
    if side:  # the mean of the image tells of the label
        x += (y[:, None] if dense else y[:, None, None, None]).astype(np.float32) / CLASSES
    return x, y


def loss_of(net, x, y):
    """Along another dimension than the last PyTorch adds up one by one, and is 4e-4 off where 50,257 words are almost equal."""
    z = net(x)
    return nn.functional.cross_entropy(*((z.flatten(0, 1), y.flatten()) if z.dim() == 3 else (z, y)))


class Network(network.Network):
    """`side` is that of its images, 0 means words; `dense`, whether each pixel or word has a label; `dynamo`, that PyTorch's new
    exporter writes it, which takes BatchNormalization apart: the old one does not know all operators. Running statistics are not compared:
    PyTorch's variance is that of the sample, ONNX' of the population."""

    loss = "sparse_categorical_crossentropy:from_logits=1"
    single = range(0, STEPS, 5)

    def __init__(self, make, side, dense, batch=8, words=WORDS, dynamo=False):
        self.batch, self.dynamo = batch, dynamo
        torch.manual_seed(1)
        self.net = make().train()
        with torch.no_grad():
            for p in self.net.parameters():  # zeros, and what is equal in several layers, the exporter takes away
                p += 0.01 * torch.randn_like(p)
        self.kinks = any(isinstance(m, (nn.ReLU, nn.ReLU6, nn.MaxPool2d)) for m in self.net.modules())
        self.state = self.values()
        self.trained = list(self.state)
        self.x, self.y = samples(batch * STEPS, side, dense, words)

    def values(self):
        return {k: p.detach().numpy().copy() for k, p in self.net.named_parameters()}

    def assign(self, state):
        """PyTorch's statistics are of no matter here: the networks train."""
        with torch.no_grad():
            for k, p in self.net.named_parameters():
                p.copy_(torch.from_numpy(np.ascontiguousarray(state[k])))

    def export(self, path):
        names = {"input_names": ["x"], "output_names": ["y"], "training": torch.onnx.TrainingMode.TRAINING, "dynamo": self.dynamo}
        names |= {"external_data": False, "verbose": False} if self.dynamo else {"do_constant_folding": False}
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(copy.deepcopy(self.net), (torch.from_numpy(self.step(0)[0]),), path, **names)

    def follow(self, which, start, keep):
        """PyTorch's losses, and the states before the steps in `keep`."""
        self.assign(start)
        optimizer, losses, states = OPTIMIZERS[which](self.net.parameters()), [], {}
        for i in range(STEPS + 1):
            if i in keep:
                states[i] = self.values()
            if i == STEPS:
                break
            for group in optimizer.param_groups:
                if "eps" in group:  # Keras adds it before the correction of the bias, PyTorch behind
                    group["eps"] = EPSILON / (1 - group["betas"][1] ** (i + 1)) ** 0.5
            optimizer.zero_grad()
            loss = loss_of(self.net, *map(torch.from_numpy, self.step(i)))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.net.zero_grad()
        return np.array(losses), states

    def gradient(self, state, i, double):
        self.assign(state)
        net = copy.deepcopy(self.net).double() if double else self.net
        x, y = map(torch.from_numpy, self.step(i))
        net.zero_grad()
        loss = loss_of(net, x.double() if double and x.is_floating_point() else x, y)
        loss.backward()
        return loss.item(), {k: p.grad.numpy() for k, p in net.named_parameters()}


RESNET, MOBILENET = vision("resnet18"), vision("mobilenet_v2", dropout=0.0)
NETWORKS = {
    "resnet18": lambda: Network(RESNET, 64, False),
    "resnet18_smooth": lambda: Network(smooth(RESNET), 64, False),
    "mobilenet_v2": lambda: Network(MOBILENET, 64, False),
    "mobilenet_v2_smooth": lambda: Network(smooth(MOBILENET), 64, False),
    "convnext_tiny": lambda: Network(vision("convnext_tiny", stochastic_depth_prob=0.0), 64, False),
    "unet": lambda: Network(UNet, 32, True),
    "unet_smooth": lambda: Network(smooth(UNet), 32, True),
    "vit": lambda: Network(vit, 32, False),
    "bilstm": lambda: Network(BiLSTM, 0, True),
    "gru_attention": lambda: Network(GRUAttention, 0, False),
    "gpt2": lambda: Network(lambda: GPT2(vocab_size=WORDS, n_positions=LENGTH, n_layer=4, n_embd=128, n_head=4), 0, True, dynamo=True),
    "gpt2_small": lambda: Network(GPT2, 0, True, batch=1, words=50257, dynamo=True),
}
