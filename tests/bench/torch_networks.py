"""The networks of models/ in PyTorch, by the names that models/keras_networks.py gives them."""

import torch
from torch import nn


def norm(kind, channels, eps=1e-3):
    return kind(channels, eps=eps, momentum=0.01)


def fashion_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), norm(nn.BatchNorm2d, 32),
        nn.Conv2d(32, 32, 4, padding="same"), nn.ReLU(), nn.MaxPool2d(2), norm(nn.BatchNorm2d, 32),
        nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Flatten(), norm(nn.BatchNorm1d, 512),
        nn.Dropout(0.2), nn.Linear(512, 10),
    )  # fmt: skip


def cifar10_convnet():
    layers, before = [], 3
    for channels in (16, 32, 64):
        layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), norm(nn.BatchNorm2d, channels), nn.ELU(), nn.MaxPool2d(2)]
        before = channels
    return nn.Sequential(*layers, nn.Dropout(0.3), nn.Flatten(), nn.Linear(1024, 512), nn.ELU(), nn.Dropout(0.3), nn.Linear(512, 10))


def cifar100_vgg():
    layers, before = [], 3
    for block, channels in enumerate((60, 60, 60, 60, 100)):
        for _ in range(2):
            layers += [nn.Conv2d(before, channels, 3, padding=1), norm(nn.BatchNorm2d, channels), nn.ReLU()]
            before = channels
        if block < 4:
            layers += [nn.MaxPool2d(2), nn.Dropout(0.15)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(400, 100))


def mnist_mlp():
    return nn.Sequential(
        nn.Flatten(), norm(nn.BatchNorm1d, 784), nn.Linear(784, 300), norm(nn.BatchNorm1d, 300),
        nn.Linear(300, 100), norm(nn.BatchNorm1d, 100), nn.Linear(100, 10),
    )  # fmt: skip


def sigmoid_mlp():
    layers, before = [nn.Flatten()], 784
    for _ in range(3):
        layers += [nn.Linear(before, 100), norm(nn.BatchNorm1d, 100, 1e-5), nn.Sigmoid()]
        before = 100
    return nn.Sequential(*layers, nn.Linear(before, 10))


def adam(parameters):
    return torch.optim.Adam(parameters)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01)


def rmsprop(parameters):
    return torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.9)


# name: (network, shape of a sample, classes, optimiser)
NETWORKS = {
    "fashion_cnn.bn": (fashion_cnn, (1, 28, 28), 10, adam),
    "cifar10_convnet.bn_before": (cifar10_convnet, (3, 32, 32), 10, adam),
    "mnist_mlp.bn_after": (mnist_mlp, (1, 28, 28), 10, sgd),
    "sigmoid_mlp.bn": (sigmoid_mlp, (1, 28, 28), 10, rmsprop),
    "cifar100_vgg.relu_bn": (cifar100_vgg, (3, 32, 32), 100, rmsprop),
}
