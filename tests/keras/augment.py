#!/usr/bin/env python3
"""What Keras' ImageDataGenerator makes of small images, given the transform: augment.npz, for tests/unit/augment.c.

    augment.py OUT      needs Keras 3, scipy and Pillow; some seconds

For each GROUP of images of one shape, `GROUP/x` and `GROUP/y` float32 [n, ...] are the images before and after,
`GROUP/transform` float64 [n, 10] is theta, tx, ty, shear, zx, zy, flip_horizontal, flip_vertical, channel_shift_intensity
and brightness (NaN: none), `GROUP/setting` float64 [n, 3] the number of the fill mode, cval, and whether channels come first.
"""

import sys

import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator

NAMES = ["theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical", "channel_shift_intensity", "brightness"]
MODES = ["nearest", "constant", "reflect", "wrap"]
EACH = 16  # images of a group; each mode gets a quarter of them


def draw(rng, height, width, colours):
    """A transform that has each part half of the time."""
    some = lambda low, high, else_: rng.uniform(low, high) if rng.random() < 0.5 else else_
    t = {
        "theta": some(-180, 180, 0),
        "tx": some(-1.5 * width, 1.5 * width, 0),
        "ty": some(-1.5 * height, 1.5 * height, 0),
        "shear": some(-60, 60, 0),
        "zx": some(0.4, 2, 1),
        "zy": some(0.4, 2, 1),
        "flip_horizontal": bool(rng.random() < 0.5),
        "flip_vertical": bool(rng.random() < 0.5),
        "channel_shift_intensity": some(-80, 80, None),
        "brightness": some(0, 2, None) if colours else None,
    }
    return t


def apply(x, t, mode, cval, first):
    order = "channels_first" if first else "channels_last"
    plain = dict(t, brightness=None)
    make = ImageDataGenerator(fill_mode=MODES[mode], cval=cval, data_format=order)
    y = make.apply_transform(x.copy(), plain)
    if t["brightness"] is None:
        return y
    # Brightness drops fractions: where rounding decides, two right implementations differ by a whole pixel.
    if y.min() < 0 or y.max() > 255:
        v = (y - y.min()) / (y.max() - y.min()) * 255
        v = v[(v > 0) & (v < 255)]
    else:
        v = y
    if not np.array_equal(y, x) and (abs(v - np.round(v)) < 1e-3).any():
        return None
    if first:  # Keras makes a picture of it, whose channels come last where its default says so
        z = ImageDataGenerator(data_format="channels_last").apply_transform(
            np.moveaxis(y, 0, -1), {"brightness": t["brightness"]})
        return np.moveaxis(z, -1, 0)
    return make.apply_transform(y, {"brightness": t["brightness"]})


def group(rng, shape, low, high):
    first = shape[0] == 3 and shape[2] != 3
    channels, height, width = shape if first else (shape[2], shape[0], shape[1])
    x, y, transform, setting = [], [], [], []
    while len(x) < EACH:
        mode, cval = len(x) % 4, float(np.float32(rng.uniform(low, high)))
        image = rng.uniform(low, high, shape).astype(np.float32)
        t = draw(rng, height, width, channels in (1, 3, 4))
        made = apply(image, t, mode, cval, first)
        if made is None:
            continue
        x.append(image)
        y.append(made)
        transform.append([np.nan if t[k] is None else float(t[k]) for k in NAMES])
        setting.append([mode, cval, first])
    return {"x": np.array(x), "y": np.array(y, np.float32), "transform": np.array(transform), "setting": np.array(setting)}


def main(out):
    rng = np.random.default_rng(14)
    groups = {
        "square": ((7, 7, 1), 0, 255),
        "colours": ((6, 9, 3), 0, 255),
        "first": ((3, 8, 5), 0, 255),
        "opacity": ((5, 4, 4), 0, 255),
        "floats": ((6, 5, 3), -1, 1),
        "two": ((5, 6, 2), -100, 400),
        "wide": ((2, 70, 1), 0, 255),
        "line": ((1, 6, 1), 0, 255),
        "beyond": ((4, 5, 1), 0, 400),
    }
    arrays = {f"{g}/{k}": v for g, how in groups.items() for k, v in group(rng, *how).items()}
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
