"""Gradients of what normalises."""

from .declare import STEEP, SUM, F, Family, held, positive, real

family = Family("gradient")
add = family.add


def normalised(x, axes, epsilon=1e-5):
    mean = x.mean(axes, keepdim=True)
    return (x - mean) / ((x - mean).pow(2).mean(axes, keepdim=True) + epsilon).sqrt()


def channels(v, rank):
    return v.reshape(-1, *[1] * (rank - 2))


BATCH = {"x": real(4, 3, 2, 2), "scale": positive(3), "b": real(3), "mean": held(real(3)), "variance": held(positive(3))}
add("batchnormalization_inference", "BatchNormalization", BATCH, lambda x, s, b, m, v: F.batch_norm(x, m, v, s, b, eps=1e-3), near=SUM, epsilon=1e-3)
add(
    "batchnormalization_inference_statistics",
    "BatchNormalization",
    BATCH | {"mean": real(3), "variance": positive(3)},
    lambda x, s, b, m, v: (x - channels(m, 4)) / (channels(v, 4) + 1e-3).sqrt() * channels(s, 4) + channels(b, 4),
    near=SUM,
    epsilon=1e-3,
)


def trained(name, x, epsilon=1e-5, momentum=0.9, **more):
    """The running statistics too: with them gradients flow through the statistics of the batch. Their variance is the population's."""
    rank = len(x.shape)
    axes = (0, *range(2, rank))

    def formula(x, s, b, m, v):
        mean, variance = x.mean(axes), x.var(axes, unbiased=False)
        y = normalised(x, axes, epsilon) * channels(s, rank) + channels(b, rank)
        return y, momentum * m + (1 - momentum) * mean, momentum * v + (1 - momentum) * variance

    n = x.shape[1]
    inputs = {"x": x, "scale": positive(n), "b": real(n), "mean": held(real(n)), "variance": held(positive(n))}
    add(
        name,
        "BatchNormalization",
        inputs,
        formula,
        outputs=("y", "new_mean", "new_variance"),
        near=STEEP,
        training_mode=1,
        epsilon=epsilon,
        momentum=momentum,
        **more,
    )


trained("batchnormalization_training", real(4, 3, 2, 2))
trained("batchnormalization_training_dense", real(6, 3), epsilon=1e-3, momentum=0.99)
trained("batchnormalization_training_1d", real(3, 2, 4), momentum=0.5)
trained("batchnormalization_training_3d", real(2, 2, 2, 2, 3))
add(
    "batchnormalization_training_y_alone",
    "",
    {"x": real(5, 3), "scale": positive(3), "b": real(3), "mean": held(real(3)), "variance": held(positive(3))},
    lambda x, s, b, m, v: normalised(x, (0,)) * s + b,
    near=STEEP,
    nodes="y, unused_mean, unused_variance = BatchNormalization<training_mode = 1>(x, scale, b, mean, variance)",
)
add(
    "instancenormalization",
    "InstanceNormalization",
    {"x": real(2, 3, 3, 2), "scale": positive(3), "b": real(3)},
    lambda x, s, b: F.instance_norm(x, weight=s, bias=b),
    near=STEEP,
)
add(
    "instancenormalization_1d",
    "InstanceNormalization",
    {"x": real(2, 3, 5), "scale": positive(3), "b": real(3)},
    lambda x, s, b: F.instance_norm(x, weight=s, bias=b, eps=1e-3),
    near=STEEP,
    epsilon=1e-3,
)
add(
    "groupnormalization",
    "GroupNormalization",
    {"x": real(2, 4, 3, 2), "scale": positive(4), "b": real(4)},
    lambda x, s, b: F.group_norm(x, 2, s, b),
    near=STEEP,
    opset=21,
    single=True,
    shapes={"y": (2, 4, 3, 2)},
    num_groups=2,
)
add(
    "groupnormalization_of_each",
    "GroupNormalization",
    {"x": real(2, 4, 5), "scale": positive(4), "b": real(4)},
    lambda x, s, b: F.group_norm(x, 4, s, b, 1e-2),
    near=STEEP,
    opset=21,
    single=True,
    shapes={"y": (2, 4, 5)},
    num_groups=4,
    epsilon=1e-2,
)
add(
    "layernormalization",
    "LayerNormalization",
    {"x": real(2, 3, 4), "scale": positive(4), "b": real(4)},
    lambda x, s, b: F.layer_norm(x, (4,), s, b),
    near=STEEP,
)
add(
    "layernormalization_axis",
    "LayerNormalization",
    {"x": real(2, 3, 4), "scale": positive(3, 4), "b": real(3, 4)},
    lambda x, s, b: F.layer_norm(x, (3, 4), s, b, 1e-2),
    near=STEEP,
    axis=1,
    epsilon=1e-2,
)
add("layernormalization_no_bias", "LayerNormalization", {"x": real(3, 5), "scale": positive(5)}, lambda x, s: F.layer_norm(x, (5,), s), near=STEEP)
add(
    "layernormalization_statistics",
    "LayerNormalization",
    {"x": real(3, 4), "scale": positive(4), "b": real(4)},
    lambda x, s, b: (F.layer_norm(x, (4,), s, b), x.mean(1, keepdim=True), 1 / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()),
    outputs=("y", "mean", "deviation"),
    near=STEEP,
)
add("rmsnormalization", "RMSNormalization", {"x": real(2, 3, 4), "scale": positive(4)}, lambda x, s: F.rms_norm(x, (4,), s, 1e-5), near=STEEP, opset=23)
add(
    "rmsnormalization_axis",
    "RMSNormalization",
    {"x": real(2, 3, 4), "scale": positive(3, 4)},
    lambda x, s: F.rms_norm(x, (3, 4), s, 1e-3),
    near=STEEP,
    opset=23,
    axis=1,
    epsilon=1e-3,
)


def mean_variance(name, x, formula_axes, **attributes):
    def formula(x):
        return (x - x.mean(formula_axes, keepdim=True)) / (x.var(formula_axes, unbiased=False, keepdim=True).sqrt() + 1e-9)

    add(
        f"meanvariancenormalization{name}",
        "MeanVarianceNormalization",
        {"x": x},
        formula,
        near=STEEP,
        shapes={"y": x.shape},
        unjudged="its body has a constant of float32",
        **attributes,
    )


mean_variance("", real(2, 3, 2, 2), (0, 2, 3))
mean_variance("_axes", real(3, 5), (1,), axes=[1])


def lrn(name, x, size, **attributes):
    """Of an even size there is one more channel after than before."""
    alpha, beta, bias = (attributes.get(k, v) for k, v in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))

    def formula(x):
        squares = F.pad(x * x, (0, 0, 0, 0, (size - 1) // 2, size // 2))
        return x / (bias + alpha / size * squares.unfold(1, size, 1).sum(-1)) ** beta

    add(
        f"lrn{name}",
        "LRN",
        {"x": x},
        formula,
        near=SUM,
        unjudged="it takes the number of images for that of channels, and leaves the others out",
        size=size,
        **attributes,
    )


lrn("", real(2, 5, 2, 2), 3)
lrn("_attributes", real(1, 5, 2, 2, low=-3, high=3), 5, alpha=0.5, beta=0.6, bias=1.5)
lrn("_even_size", real(1, 5, 2, 2, low=-3, high=3), 2, alpha=0.5)
