"""The frozen workloads: each distinct layer of a published table once, filters, tiny cases.

A figure of today can be compared with one of next year only if the row is the same, so rows are
added, never changed. A layer that two networks share stands under the first of them. Batch 1
unless the name ends in another; without bias. Networks are in the torchvision version where
there is one (ResNet-50 with its stride in the 3x3 layer, padding even on both sides); U-Net is the
original with valid convolutions and a 572 x 572 image, the 3-D U-Net has a patch of 32^3;
ConvNeXt's linear layers are written as 1x1 convolutions; DeepBench is a part of its server
inference set.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from benchmarks.workloads import Conv, ConvTranspose, Filter, Pool, Workload

__all__ = ["FAMILIES", "WORKLOADS", "select"]

Ints = tuple[int, ...]


def _axes(value: int | Ints, rank: int) -> Ints:
    return (value,) * rank if isinstance(value, int) else value


def _input(channels: int, size: int | Ints, rank: int) -> Ints:
    return (1, channels, *_axes(size, rank))


def _conv(
    family: str,
    size: int | Ints,
    channels: int,
    out: int,
    kernel: int | Ints = 3,
    stride: int | Ints = 1,
    padding: int | Ints | None = None,
    *,
    dilation: int = 1,
    groups: int = 1,
    rank: int = 2,
) -> Conv:
    """Make a convolution; without `padding`, the one that keeps the size at stride 1."""
    kernel = _axes(kernel, rank)
    if padding is None:
        padding = tuple(dilation * (k - 1) // 2 for k in kernel)
    return Conv(
        family,
        _input(channels, size, rank),
        kernel,
        _axes(stride, rank),
        _axes(padding, rank),
        _axes(dilation, rank),
        out,
        groups,
    )


def _depthwise(
    family: str, size: int, channels: int, kernel: int = 3, stride: int = 1, rank: int = 2
) -> Conv:
    return _conv(family, size, channels, channels, kernel, stride, groups=channels, rank=rank)


def _up(
    family: str,
    size: int | Ints,
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    padding: int = 0,
    output_padding: int = 0,
    rank: int = 2,
) -> ConvTranspose:
    return ConvTranspose(
        family,
        _input(channels, size, rank),
        _axes(kernel, rank),
        _axes(stride, rank),
        _axes(padding, rank),
        _axes(1, rank),
        out,
        _axes(output_padding, rank),
    )


def _pool(
    family: str,
    kind: str,
    size: int | Ints,
    channels: int,
    kernel: int = 0,
    stride: int = 1,
    padding: int = 0,
    rank: int = 2,
) -> Pool:
    sizes = _axes(size, rank)
    return Pool(
        family,
        (1, channels, *sizes),
        _axes(kernel, rank) if kernel else sizes,
        _axes(stride, rank),
        _axes(padding, rank),
        _axes(1, rank),
        kind,
    )


def _resnet50() -> Iterable[Workload]:
    f = "resnet50"
    yield _conv(f, 224, 3, 64, 7, 2)
    yield _pool(f, "max", 112, 64, 3, 2, 1)
    yield _conv(f, 56, 64, 64, 1)
    yield _conv(f, 56, 64, 64)
    yield _conv(f, 56, 64, 256, 1)
    yield _conv(f, 56, 256, 64, 1)
    for size, width in ((56, 128), (28, 256), (14, 512)):  # the last size before the stage, width
        yield _conv(f, size, 2 * width, width, 1)
        yield _conv(f, size, width, width, 3, 2)
        yield _conv(f, size // 2, width, 4 * width, 1)
        yield _conv(f, size, 2 * width, 4 * width, 1, 2)
        yield _conv(f, size // 2, 4 * width, width, 1)
        yield _conv(f, size // 2, width, width)
    yield _pool(f, "global_avg", 7, 2048)


def _vgg16() -> Iterable[Workload]:
    f = "vgg16"
    for size, channels, out in (
        (224, 3, 64),
        (224, 64, 64),
        (112, 64, 128),
        (112, 128, 128),
        (56, 128, 256),
        (56, 256, 256),
        (28, 256, 512),
        (28, 512, 512),
        (14, 512, 512),
    ):
        yield _conv(f, size, channels, out)
    for size, channels in ((224, 64), (112, 128), (56, 256), (28, 512), (14, 512)):
        yield _pool(f, "max", size, channels, 2, 2)


def _mobilenet_v2() -> Iterable[Workload]:
    f = "mobilenet_v2"
    yield _conv(f, 224, 3, 32, 3, 2)
    yield _depthwise(f, 112, 32)
    yield _conv(f, 112, 32, 16, 1)
    # size, channels in, expanded, channels out, stride
    for size, channels, wide, out, stride in (
        (112, 16, 96, 24, 2),
        (56, 24, 144, 24, 1),
        (56, 24, 144, 32, 2),
        (28, 32, 192, 32, 1),
        (28, 32, 192, 64, 2),
        (14, 64, 384, 64, 1),
        (14, 64, 384, 96, 1),
        (14, 96, 576, 96, 1),
        (14, 96, 576, 160, 2),
        (7, 160, 960, 160, 1),
        (7, 160, 960, 320, 1),
    ):
        yield _conv(f, size, channels, wide, 1)
        yield _depthwise(f, size, wide, 3, stride)
        yield _conv(f, size // stride, wide, out, 1)
    yield _conv(f, 7, 320, 1280, 1)
    yield _pool(f, "global_avg", 7, 1280)


def _efficientnet_b0() -> Iterable[Workload]:
    f = "efficientnet_b0"
    for size, channels, wide, out, kernel, stride in (
        (112, 16, 96, 24, 3, 2),
        (56, 24, 144, 24, 3, 1),
        (56, 24, 144, 40, 5, 2),
        (28, 40, 240, 40, 5, 1),
        (28, 40, 240, 80, 3, 2),
        (14, 80, 480, 80, 3, 1),
        (14, 80, 480, 112, 5, 1),
        (14, 112, 672, 112, 5, 1),
        (14, 112, 672, 192, 5, 2),
        (7, 192, 1152, 192, 5, 1),
        (7, 192, 1152, 320, 3, 1),
    ):
        yield _conv(f, size, channels, wide, 1)
        yield _depthwise(f, size, wide, kernel, stride)
        yield _conv(f, size // stride, wide, out, 1)
    for wide, squeezed in ((32, 8), (96, 4), (144, 6), (240, 10), (480, 20), (672, 28), (1152, 48)):
        yield _conv(f, 1, wide, squeezed, 1)
        yield _conv(f, 1, squeezed, wide, 1)
    yield _pool(f, "global_avg", 14, 480)


def _resnext50() -> Iterable[Workload]:
    f = "resnext50_32x4d"
    yield _conv(f, 56, 64, 128, 1)
    yield _conv(f, 56, 128, 128, groups=32)
    yield _conv(f, 56, 128, 256, 1)
    yield _conv(f, 56, 256, 128, 1)
    for size, width in ((56, 256), (28, 512), (14, 1024)):
        yield _conv(f, size, width, width, 1)
        yield _conv(f, size, width, width, 3, 2, groups=32)
        yield _conv(f, size // 2, width, 2 * width, 1)
        yield _conv(f, size // 2, 2 * width, width, 1)
        yield _conv(f, size // 2, width, width, groups=32)


def _convnext_t() -> Iterable[Workload]:
    f = "convnext_t"
    yield _conv(f, 224, 3, 96, 4, 4, 0)
    for size, width in ((56, 96), (28, 192), (14, 384), (7, 768)):
        yield _depthwise(f, size, width, 7)
        yield _conv(f, size, width, 4 * width, 1)
        yield _conv(f, size, 4 * width, width, 1)
        if width < 768:
            yield _conv(f, size, width, 2 * width, 2, 2, 0)


def _inception_v3() -> Iterable[Workload]:
    f = "inception_v3"
    yield _conv(f, 299, 3, 32, 3, 2, 0)
    yield _conv(f, 149, 32, 32, 3, 1, 0)
    yield _conv(f, 147, 32, 64)
    yield _conv(f, 73, 80, 192, 3, 1, 0)
    yield _conv(f, 35, 48, 64, 5)
    yield _conv(f, 35, 64, 96)
    yield _conv(f, 35, 288, 384, 3, 2, 0)
    yield _conv(f, 17, 768, 192, 1)
    for channels in (128, 192):
        yield _conv(f, 17, channels, channels, (1, 7))
        yield _conv(f, 17, channels, channels, (7, 1))
    yield _conv(f, 8, 384, 384, (1, 3))
    yield _conv(f, 8, 384, 384, (3, 1))
    yield _conv(f, 8, 448, 384)
    yield _conv(f, 8, 2048, 320, 1)
    yield _pool(f, "max", 147, 64, 3, 2)
    yield _pool(f, "max", 71, 192, 3, 2)
    yield _pool(f, "max", 35, 288, 3, 2)
    yield _pool(f, "avg", 35, 192, 3, 1, 1)
    yield _pool(f, "avg", 17, 768, 3, 1, 1)


def _unet() -> Iterable[Workload]:
    f = "unet"
    size, channels = 572, 1
    for out in (64, 128, 256, 512, 1024):
        yield _conv(f, size, channels, out, 3, 1, 0)
        yield _conv(f, size - 2, out, out, 3, 1, 0)
        if out < 1024:
            yield _pool(f, "max", size - 4, out, 2, 2)
        size, channels = (size - 4) // 2, out
    size = 28
    for out in (512, 256, 128, 64):
        yield _up(f, size, 2 * out, out, 2, 2)
        yield _conv(f, 2 * size, 2 * out, out, 3, 1, 0)
        yield _conv(f, 2 * size - 2, out, out, 3, 1, 0)
        size = 2 * size - 4
    yield _conv(f, 388, 64, 2, 1)


def _unet3d() -> Iterable[Workload]:
    f = "unet3d"
    yield _conv(f, 32, 3, 32, rank=3)
    yield _conv(f, 32, 32, 64, rank=3)
    for size, width in ((16, 64), (8, 128), (4, 256)):
        yield _pool(f, "max", 2 * size, width, 2, 2, rank=3)
        yield _conv(f, size, width, width, rank=3)
        yield _conv(f, size, width, 2 * width, rank=3)
    for size, width in ((4, 256), (8, 128), (16, 64)):
        yield _up(f, size, 2 * width, 2 * width, 2, 2, rank=3)
        yield _conv(f, 2 * size, 3 * width, width, rank=3)
        yield _conv(f, 2 * size, width, width, rank=3)
    yield _conv(f, 32, 64, 3, 1, rank=3)


def _transposed() -> Iterable[Workload]:
    f = "dcgan"
    yield _up(f, 1, 100, 1024, 4, 1)
    for size, channels in ((4, 1024), (8, 512), (16, 256)):
        yield _up(f, size, channels, channels // 2, 4, 2, 1)
    yield _up(f, 32, 128, 3, 4, 2, 1)
    f = "enet"
    yield _up(f, 64, 32, 32, 3, 2, 1, 1)
    yield _up(f, 128, 16, 16, 3, 2, 1, 1)
    yield _up(f, 256, 16, 12, 2, 2)
    for dilation in (2, 4, 8, 16):
        yield _conv(f, 64, 32, 32, dilation=dilation)
    yield _conv(f, 64, 32, 32, (5, 1))
    yield _conv(f, 64, 32, 32, (1, 5))
    f = "fsrcnn"
    yield _conv(f, 256, 1, 56, 5)
    yield _conv(f, 256, 56, 12, 1)
    yield _conv(f, 256, 12, 12)
    yield _conv(f, 256, 12, 56, 1)
    yield _up(f, 256, 56, 1, 9, 2, 4, 1)
    yield _up(f, 256, 56, 1, 9, 3, 4, 2)
    yield _up(f, 256, 56, 1, 9, 4, 4, 3)


def _sequences() -> Iterable[Workload]:
    for dilation in (1, 8, 64, 512):  # one second at 16 kHz, the past in front
        yield _conv("wavenet", 16000 + dilation, 64, 128, 2, padding=0, dilation=dilation, rank=1)
    yield _conv("wavenet", 16000, 64, 256, 1, rank=1)
    yield _conv("wavenet", 16000, 64, 64, 1, rank=1)
    for dilation in (1, 4, 16):
        yield _conv("tcn", 784, 25, 25, 7, dilation=dilation, rank=1)
        yield _conv("tcn", 400, 600, 600, 3, dilation=dilation, rank=1)


def _deepbench() -> Iterable[Workload]:
    f = "deepbench"
    yield _conv(f, (161, 700), 1, 32, (5, 20), 2, 0)
    yield _conv(f, (79, 341), 32, 32, (5, 10), 2, 0)
    yield _conv(f, (48, 480), 1, 16)
    yield _conv(f, (24, 240), 16, 32)
    yield _conv(f, (12, 120), 32, 64)
    yield _conv(f, (6, 60), 64, 128)
    yield _conv(f, (161, 700), 1, 64, 5, 2, 1)
    yield _conv(f, (80, 350), 64, 64)
    yield _conv(f, (80, 350), 64, 128, 5, 2, 1)
    yield _conv(f, (20, 84), 256, 256)
    yield _conv(f, 108, 3, 64, 3, 2)
    yield _conv(f, 54, 64, 64)
    yield _conv(f, 27, 128, 128)
    yield _conv(f, 28, 192, 32, 5)
    yield _conv(f, 14, 512, 48, 5)
    yield _conv(f, 7, 832, 128, 5)


def _patches() -> Iterable[Workload]:
    yield _conv("vit", 224, 3, 768, 16, 16, 0)
    yield _conv("vit", 224, 3, 768, 32, 32, 0)
    yield _conv("vit", 224, 3, 1024, 14, 14, 0)


def _pools() -> Iterable[Workload]:
    for width in (5, 9, 13):
        yield _pool("yolo", "max", 20, 256, width, 1, width // 2)
    yield _pool("yolo", "max", 20, 512, 5, 1, 2)
    f = "pools"
    yield _pool(f, "global_max", 14, 1024)
    yield _pool(f, "max", 16000, 64, 4, 4, rank=1)
    yield _pool(f, "avg", 28, 512, 2, 2)
    yield _pool(f, "max", 1024, 1, 3, 1, 1)
    yield _pool(f, "max", 1024, 1, 13, 1, 6)
    yield _pool(f, "avg", 1024, 1, 5, 1, 2)
    yield _pool(f, "avg", 2048, 1, 2, 2)
    yield _pool(f, "max", 2048, 1, 2, 2)


def _images() -> Iterable[Workload]:
    f = "image"
    for kind, sizes in (
        (
            "dense",
            (
                (512, (3, 7, 15, 31, 63)),
                (1024, (5, 9)),
                (2048, (3, 5, 7, 11, 15, 31)),
                (4096, (3, 7, 15)),
            ),
        ),
        ("gaussian", ((512, (3, 7, 31)), (2048, (3, 5, 7, 15, 31, 63)), (4096, (7, 31)))),
        ("box", ((512, (3, 15)), (2048, (3, 7, 15, 63)), (4096, (7,)))),
        ("max", ((512, (3, 15)), (2048, (3, 7, 15, 63)), (4096, (7,)))),
    ):
        for size, widths in sizes:
            for width in widths:
                yield Filter(f, (size, size), kind, width)
    for size, widths in ((1 << 16, (15, 255)), (1 << 20, (15, 63, 255, 1023)), (1 << 22, (63,))):
        for width in widths:
            yield Filter("signal", (size,), "dense", width)


def _tiny() -> Iterable[Workload]:
    f = "tiny"
    yield _conv(f, 8, 8, 8)
    yield _conv(f, 8, 8, 8, 1)
    yield _depthwise(f, 8, 8)
    yield _up(f, 8, 8, 8, 4, 2, 1)
    yield _conv(f, 64, 8, 8, rank=1)
    yield _conv(f, 4, 8, 8, rank=3)
    yield _pool(f, "max", 8, 8, 2, 2)
    yield _pool(f, "avg", 8, 8, 2, 2)
    yield _pool(f, "global_avg", 8, 8)
    yield Filter(f, (8, 8), "dense", 3)
    yield Filter(f, (8, 8), "max", 3)


def _distinct() -> tuple[Workload, ...]:
    """Every layer once, under the first family that has it; tiny cases keep their own."""
    tables = (
        _resnet50,
        _vgg16,
        _mobilenet_v2,
        _efficientnet_b0,
        _resnext50,
        _convnext_t,
        _inception_v3,
        _unet,
        _unet3d,
        _transposed,
        _sequences,
        _deepbench,
        _patches,
        _pools,
        _images,
        _tiny,
    )
    rows: dict[str, Workload] = {}
    for table in tables:
        for row in table():
            rows.setdefault(row.name.partition("/")[2], row)
    return tuple(rows.values())


WORKLOADS = _distinct()
FAMILIES = tuple(dict.fromkeys(row.family for row in WORKLOADS))


def select(pattern: str = "", family: str = "") -> tuple[Workload, ...]:
    """Choose workloads.

    Parameters
    ----------
    pattern : str
        What a name contains; ``*``, ``?`` and ``[...]`` have the meaning they have in file names.
    family : str
        The whole name of a family; empty for all.

    Returns
    -------
    tuple of Workload
        In the order of the tables.

    Raises
    ------
    ValueError
        There is no such family, or nothing is left.
    """
    if family and family not in FAMILIES:
        raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    rows = tuple(
        row
        for row in WORKLOADS
        if fnmatchcase(row.name, f"*{pattern}*") and family in ("", row.family)
    )
    if not rows:
        raise ValueError(f"no workload of {family or 'any family'} has {pattern!r} in its name")
    return rows
