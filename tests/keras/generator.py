"""States and batches made from a name: the same numbers in Python and in C, so that no dump has to hold them.

README.md beside this file gives the rule in pseudo code. Everything is a 64-bit hash of (key, element); a real number is offset + scale * u in double
precision. u has 24 significant bits, and either scale has as few or offset is 0: so it does not matter whether a compiler fuses the product with the sum."""

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BUCKETS = 256  # the width of a sketch; a variable no longer than this is kept whole


def mix(z):
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    z = np.asarray(z, np.uint64)
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def stream(key):
    """FNV-1a of the key's bytes, mixed once."""
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return mix(h)


def hashes(key, count):
    with np.errstate(over="ignore"):
        return mix(stream(key) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)


def uniform(key, count):
    """24-bit multiples of 2^-23 in [-1, 1), as float64."""
    return ((hashes(key, count) >> np.uint64(40)).astype(np.int64) - (1 << 23)) / float(1 << 23)


def real(key, shape, offset, scale):
    """float32, rounded once from float64."""
    return (offset + scale * uniform(key, int(np.prod(shape)))).astype(np.float32).reshape(shape)


def batch(network, key, n, image, classes, subtract, divide):
    """Labels, and images NCHW in blocks of 4x4 pixels that belong to the label, under noise. The block in the corner is always black: a feature
    without variance, as the borders of the real images are."""
    c, h, w = image
    labels = ((hashes(f"{key}/label", n) >> np.uint64(33)) % np.uint64(classes)).astype(np.int64)
    blocks = (hashes(f"{network}/prototype", classes * c * (h // 4) * (w // 4)) >> np.uint64(56)).astype(np.int64)
    blocks = blocks.reshape(classes, c, h // 4, w // 4).repeat(4, axis=2).repeat(4, axis=3)
    noise = (hashes(f"{key}/image", n * c * h * w) >> np.uint64(56)).astype(np.int64).reshape(n, c, h, w)
    pixels = (blocks[labels] + noise) // 2
    pixels[:, :, :4, :4] = 0
    return (pixels.astype(np.float32) - np.float32(subtract)) / np.float32(divide), labels


def sketch(key, array):
    """The array itself if it is short; else its count sketch: each element goes, with a random sign, into one of 256 random buckets.

    The squared length of the sketch of a difference estimates the squared length of the difference without bias, with a relative standard deviation
    of at most sqrt(2/256) = 9 % (4.4 % of the length), whatever the difference looks like; a single wrong element shows in full. Over several
    variables the relative error of the sum is no greater. Sketches subtract: sketch(a) - sketch(b) = sketch(a - b)."""
    flat = np.asarray(array, np.float64).ravel()
    if flat.size <= BUCKETS:
        return flat.astype(np.float32)
    h = hashes(key, flat.size)
    sign = 1.0 - 2.0 * (h >> np.uint64(63)).astype(np.float64)
    return np.bincount((h & np.uint64(BUCKETS - 1)).astype(np.int64), sign * flat, BUCKETS).astype(np.float32)
