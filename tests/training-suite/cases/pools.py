"""Gradients of pooling, of what looks at places in an image, and of what changes its size."""

import numpy as np

from .declare import STEEP, SUM, F, Family, fixed, held, real, scalar, spread, torch
from .linear import padded

family = Family("gradient")
add = family.add

# -- pooling --

add("averagepool", "AveragePool", {"x": real(1, 2, 4, 4)}, lambda x: F.avg_pool2d(x, 2, 1), kernel_shape=[2, 2])
add(
    "averagepool_pads",
    "AveragePool",
    {"x": real(1, 2, 5, 5)},
    lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    kernel_shape=[3, 3],
    strides=[2, 2],
    pads=[1, 1, 1, 1],
)
add(
    "averagepool_pads_counted",
    "AveragePool",
    {"x": real(1, 2, 5, 5)},
    lambda x: F.avg_pool2d(x, 3, 2, 1),
    kernel_shape=[3, 3],
    strides=[2, 2],
    pads=[1, 1, 1, 1],
    count_include_pad=1,
)
add(
    "averagepool_ceil",
    "AveragePool",
    {"x": real(1, 1, 5, 5)},
    lambda x: F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False),
    kernel_shape=[2, 2],
    strides=[2, 2],
    ceil_mode=1,
)
add(
    "averagepool_dilations",
    "AveragePool",
    {"x": real(1, 1, 5, 5)},
    lambda x: (x[..., :3, :3] + x[..., :3, 2:] + x[..., 2:, :3] + x[..., 2:, 2:]) / 4,
    opset=19,
    kernel_shape=[2, 2],
    dilations=[2, 2],
)
add(
    "averagepool_1d_same_upper",
    "AveragePool",
    {"x": real(1, 2, 5)},
    lambda x: (lambda p, n: F.avg_pool1d(p, 2, 2) * 2 / (F.avg_pool1d(n, 2, 2) * 2))(F.pad(x, (0, 1)), F.pad(torch.ones_like(x), (0, 1))),
    kernel_shape=[2],
    strides=[2],
    auto_pad="SAME_UPPER",
)
add("averagepool_3d", "AveragePool", {"x": real(1, 1, 3, 3, 4)}, lambda x: F.avg_pool3d(x, 2, 1), kernel_shape=[2, 2, 2])
add("maxpool", "MaxPool", {"x": spread(1, 2, 4, 4)}, lambda x: F.max_pool2d(x, 2, 1), kernel_shape=[2, 2])
add(
    "maxpool_overlapping_pads", "MaxPool", {"x": spread(1, 2, 5, 5)}, lambda x: F.max_pool2d(x, 3, 2, 1), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
)
add("maxpool_dilations", "MaxPool", {"x": spread(1, 1, 5, 5)}, lambda x: F.max_pool2d(x, 2, 1, dilation=2), kernel_shape=[2, 2], dilations=[2, 2])
add("maxpool_ceil", "MaxPool", {"x": spread(1, 1, 5, 5)}, lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True), kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
add("maxpool_1d", "MaxPool", {"x": spread(2, 2, 6)}, lambda x: F.max_pool1d(x, 3, 2), kernel_shape=[3], strides=[2])
add("maxpool_3d", "MaxPool", {"x": spread(1, 1, 3, 3, 4)}, lambda x: F.max_pool3d(x, 2, 1), kernel_shape=[2, 2, 2])
add("maxpool_with_indices", "MaxPool", {"x": spread(1, 2, 4, 4)}, lambda x: F.max_pool2d(x, 2, 2), kernel_shape=[2, 2], strides=[2, 2])
add("lppool", "LpPool", {"x": real(1, 2, 4, 4)}, lambda x: F.avg_pool2d(x * x, 2, 2).mul(4).sqrt(), near=SUM, kernel_shape=[2, 2], strides=[2, 2])
add(
    "lppool_3_pads",
    "LpPool",
    {"x": spread(1, 1, 4, 4)},
    lambda x: (F.avg_pool2d(padded(x.abs() ** 3, [1, 1, 1, 1]), 3, 2) * 9) ** (1 / 3),
    near=SUM,
    kernel_shape=[3, 3],
    strides=[2, 2],
    pads=[1, 1, 1, 1],
    p=3,
)
add("globalaveragepool", "GlobalAveragePool", {"x": real(2, 3, 3, 2)}, lambda x: x.mean((2, 3), keepdim=True))
add("globalmaxpool", "GlobalMaxPool", {"x": spread(2, 3, 3, 2)}, lambda x: x.amax((2, 3), keepdim=True))
add(
    "globallppool",
    "GlobalLpPool",
    {"x": real(2, 2, 3, 2)},
    lambda x: (x * x).sum((2, 3), keepdim=True).sqrt(),
    near=SUM,
    unjudged="it does not have the operator",
)
add(
    "globallppool_3",
    "GlobalLpPool",
    {"x": spread(2, 2, 3, 2)},
    lambda x: (x.abs() ** 3).sum((2, 3), keepdim=True) ** (1 / 3),
    near=SUM,
    unjudged="it does not have the operator",
    p=3,
)
PLACES = np.array([[[[5, 7], [13, 15]], [[1, 2], [8, 10]]]], np.int64) + np.array([0, 16]).reshape(1, 2, 1, 1)
add(
    "maxunpool",
    "MaxUnpool",
    {"x": real(1, 2, 2, 2), "places": held(PLACES)},
    lambda x, i: torch.zeros(32, dtype=x.dtype).index_add(0, i.flatten(), x.flatten()).reshape(1, 2, 4, 4),
    shapes={"y": (1, 2, 4, 4)},
    kernel_shape=[2, 2],
    strides=[2, 2],
)

# -- places in an image --

BOXES = np.array([[0.3, 0.4, 3.1, 2.7], [1.2, 0.1, 3.6, 3.3]], np.float32)
for mode in "avg", "max":
    add(
        f"roialign_{mode}",
        "RoiAlign",
        {"x": spread(1, 2, 4, 4), "boxes": held(BOXES), "of": held(np.zeros(2, np.int64))},
        near=STEEP,
        mode=mode,
        output_height=2,
        output_width=2,
        sampling_ratio=2,
    )
add(
    "roialign_half_pixel_off",
    "RoiAlign",
    {"x": spread(2, 1, 4, 4), "boxes": held(BOXES), "of": held(np.array([1, 0]))},
    near=STEEP,
    coordinate_transformation_mode="output_half_pixel",
    output_height=1,
    output_width=2,
    spatial_scale=0.9,
)
ROIS = np.array([[0, 0, 0, 3, 3], [0, 1, 1, 3, 2]], np.float32)


def max_roi_pool(x, rois):
    """Two by two maxima of each region: where it does not divide, the bins overlap (floor of their begin, ceiling of their end)."""
    made = []
    for n, left, top, right, bottom in rois.to(torch.int64).tolist():
        h, w = (bottom - top + 1) / 2, (right - left + 1) / 2
        bins = [[(top + int(i * h), top + int(-(-(i + 1) * h // 1)), left + int(j * w), left + int(-(-(j + 1) * w // 1))) for j in range(2)] for i in range(2)]
        made.append(torch.stack([torch.stack([x[n, :, a:b, c:d].amax((1, 2)) for a, b, c, d in row], -1) for row in bins], -2))
    return torch.stack(made)


add("maxroipool", "MaxRoiPool", {"x": spread(1, 2, 4, 4), "rois": held(ROIS)}, max_roi_pool, unjudged="it does not have the operator", pooled_shape=[2, 2])
RENAMED = "it has only the names that came with opset 20"
for mode, opset in ("bilinear", 18), ("bicubic", 18), ("linear", 20), ("cubic", 20):
    add(
        f"gridsample_{mode}",
        "GridSample",
        {"x": real(1, 2, 3, 4), "grid": real(1, 2, 3, 2, low=-0.8, high=0.8)},
        lambda x, g, m=mode: F.grid_sample(x, g, mode={"linear": "bilinear", "cubic": "bicubic"}.get(m, m), align_corners=False),
        near=STEEP,
        opset=opset,
        single=True,
        unjudged=RENAMED if opset < 20 else "",
        mode=mode,
    )
add(
    "gridsample_nearest",
    "GridSample",
    {"x": real(1, 2, 3, 4), "grid": held(real(1, 2, 3, 2, low=-0.8, high=0.8))},
    lambda x, g: F.grid_sample(x, g, mode="nearest", align_corners=False),
    mode="nearest",
)
for padding in "border", "reflection", "zeros":
    add(
        f"gridsample_{padding}_aligned",
        "GridSample",
        {"x": real(1, 1, 3, 3), "grid": real(1, 2, 4, 2, low=-1.6, high=1.6)},
        lambda x, g, p=padding: F.grid_sample(x, g, mode="bilinear", padding_mode=p, align_corners=True),
        near=STEEP,
        single=True,
        padding_mode=padding,
        align_corners=1,
    )
add(
    "gridsample_3d",
    "GridSample",
    {"x": real(1, 1, 2, 3, 3), "grid": real(1, 1, 2, 2, 3, low=-0.8, high=0.8)},
    lambda x, g: F.grid_sample(x, g, align_corners=False),
    near=STEEP,
    opset=20,
    single=True,
    mode="linear",
)
add(
    "affinegrid",
    "AffineGrid",
    {"theta": real(2, 2, 3), "size": fixed(2, 1, 2, 3)},
    lambda t, s: F.affine_grid(t, (2, 1, 2, 3), align_corners=False),
    near=SUM,
    opset=20,
    single=True,
)
add(
    "affinegrid_3d_aligned",
    "AffineGrid",
    {"theta": real(1, 3, 4), "size": fixed(1, 1, 2, 2, 3)},
    lambda t, s: F.affine_grid(t, (1, 1, 2, 2, 3), align_corners=True),
    near=SUM,
    opset=20,
    single=True,
    align_corners=1,
)

# -- other sizes --


def resize(name, x, scales=None, sizes=None, formula=None, opset=18, near=SUM, **attributes):
    add(
        f"resize_{name}",
        "Resize",
        {"x": x, "roi": None, "scales": scales and fixed(*scales, dtype=np.float32), **({"sizes": fixed(*sizes)} if sizes else {})},
        formula,
        near=near,
        opset=opset,
        **attributes,
    )


def interpolated(**how):
    return lambda x, *_: F.interpolate(x, **how)


resize(
    "nearest",
    real(1, 1, 2, 3),
    [1, 1, 2, 2],
    formula=interpolated(scale_factor=2, mode="nearest"),
    mode="nearest",
    coordinate_transformation_mode="asymmetric",
    nearest_mode="floor",
)
resize("nearest_half_pixel", real(1, 1, 4, 4), sizes=[1, 1, 3, 6], mode="nearest")
resize("linear", real(1, 2, 2, 3), [1, 1, 2, 2], formula=interpolated(scale_factor=2, mode="bilinear", align_corners=False), mode="linear")
resize("linear_smaller", real(1, 1, 4, 5), sizes=[1, 1, 3, 2], formula=interpolated(size=(3, 2), mode="bilinear", align_corners=False), mode="linear")
resize(
    "linear_align_corners",
    real(1, 1, 3, 3),
    sizes=[1, 1, 5, 4],
    formula=interpolated(size=(5, 4), mode="bilinear", align_corners=True),
    mode="linear",
    coordinate_transformation_mode="align_corners",
)
resize("linear_asymmetric", real(1, 1, 3, 3), [1, 1, 1.5, 2], mode="linear", coordinate_transformation_mode="asymmetric")
resize("linear_antialias", real(1, 1, 5, 6), sizes=[1, 1, 3, 3], mode="linear", antialias=1)
resize("linear_1d", real(1, 2, 4), [1, 1, 1.75], mode="linear", coordinate_transformation_mode="pytorch_half_pixel")
resize("linear_3d", real(1, 1, 2, 2, 2), [1, 1, 1, 2, 1.5], mode="linear")
resize("cubic", real(1, 1, 4, 4), sizes=[1, 1, 6, 7], mode="cubic")
resize(
    "cubic_pytorch",
    real(1, 1, 4, 4),
    [1, 1, 2, 2],
    formula=interpolated(scale_factor=2, mode="bicubic", align_corners=False),
    mode="cubic",
    cubic_coeff_a=-0.75,
)
resize("cubic_exclude_outside", real(1, 1, 4, 4), sizes=[1, 1, 6, 3], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
add("resize_axes", "Resize", {"x": real(2, 3, 4), "roi": None, "scales": fixed(2, 1.5, dtype=np.float32)}, near=SUM, mode="linear", axes=[2, 1])
add("spacetodepth", "SpaceToDepth", {"x": real(1, 2, 4, 4)}, blocksize=2)
add("depthtospace", "DepthToSpace", {"x": real(1, 8, 2, 2)}, blocksize=2)
add("depthtospace_crd", "DepthToSpace", {"x": real(1, 8, 2, 2)}, lambda x: F.pixel_shuffle(x, 2), blocksize=2, mode="CRD")
add(
    "upsample_then_pool",
    "",
    {"x": real(1, 1, 3, 3)},
    lambda x: F.avg_pool2d(F.interpolate(x, scale_factor=2.0, mode="bilinear"), 3, 3),
    near=SUM,
    nodes='s = Constant<value_floats = [1.0, 1.0, 2.0, 2.0]>() u = Resize<mode = "linear">(x, , s) y = AveragePool<kernel_shape = [3, 3], strides = [3, 3]>(u)',
)
