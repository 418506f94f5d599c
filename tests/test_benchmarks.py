# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""The frozen workloads: names, shapes and operations; no library is timed here."""

from __future__ import annotations

import importlib.util
import sys
from math import prod
from types import ModuleType

import pytest
from toolchain import ROOT

import cconv


def load() -> ModuleType:
    """The benchmarks of this checkout, without its root on the path, where a cconv may lie."""
    folder = ROOT / "benchmarks"
    if not folder.is_dir():
        pytest.skip("benchmarks is not beside the tests", allow_module_level=True)
    spec = importlib.util.spec_from_file_location(
        "benchmarks", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)
    import benchmarks.shapes

    return benchmarks.shapes


shapes = load()
from benchmarks.workloads import Conv, ConvTranspose, Filter, Pool, Workload  # noqa: E402

ROWS = pytest.mark.parametrize("row", shapes.WORKLOADS, ids=lambda row: row.name)


def expected_shape(row: Workload) -> tuple[int, ...]:
    """The output shape by cconv's own shape functions."""
    if isinstance(row, Filter):
        one = (1, 1, *row.input_shape)
        return cconv.conv_output_shape(one, (1, 1, *row.kernel), padding="same")[2:]
    if isinstance(row, Conv):
        return cconv.conv_output_shape(
            row.input_shape, row.weight_shape, row.stride, row.padding, row.dilation, row.groups
        )
    if isinstance(row, ConvTranspose):
        return cconv.conv_transpose_output_shape(
            row.input_shape,
            row.weight_shape,
            row.stride,
            row.padding,
            row.output_padding,
            row.groups,
            row.dilation,
        )
    assert isinstance(row, Pool)
    return cconv.pool_output_shape(
        row.input_shape, row.kernel, row.stride, row.padding, row.dilation
    )


@ROWS
def test_output_shape_is_that_of_cconv(row: Workload) -> None:
    assert row.output_shape == expected_shape(row)


@ROWS
def test_work_and_bytes(row: Workload) -> None:
    if isinstance(row, Pool):
        assert row.flops is None
    if row.flops is not None:
        assert row.flops >= 2 * row.weight_size
    least = prod(row.input_shape) + prod(row.output_shape)
    assert row.least_bytes(4) == 4 * (least + row.weight_size)
    assert row.least_bytes(8) == 2 * row.least_bytes(4)
    assert row.terms >= 1


def test_names_are_unique() -> None:
    names = [row.name for row in shapes.WORKLOADS]
    assert len(set(names)) == len(names)
    assert all(row.name.startswith(f"{row.family}/") for row in shapes.WORKLOADS)


def test_layers_are_distinct() -> None:
    layers = [row.name.partition("/")[2] for row in shapes.WORKLOADS]
    assert len(set(layers)) == len(layers)


@pytest.mark.parametrize(
    "name",
    [
        "resnet50/conv7x7s2-3-64-at224",
        "resnet50/conv3x3-64-64-at56",
        "resnet50/max3x3s2-64-at112",
        "mobilenet_v2/conv3x3g144-144-144-at56",
        "inception_v3/conv1x7-128-128-at17",
        "unet/conv3x3p0-1-64-at572",
        "unet/up2x2s2-1024-512-at28",
        "fsrcnn/up9x9s3o2-56-1-at256",
        "wavenet/conv2d64p0-64-128-at16064",
        "deepbench/conv5x20s2p0-1-32-at161x700",
        "yolo/max9x9-256-at20",
        "image/dense31x31-at2048",
        "signal/dense1023-at1048576",
        "tiny/conv3x3-8-8-at8",
    ],
)
def test_names_are_stable(name: str) -> None:
    assert [row.name for row in shapes.WORKLOADS].count(name) == 1


def test_flops_of_resnet50() -> None:
    """The whole network has 4.087 G multiply-adds in its convolutions; counted by hand."""
    layers = [row for row in shapes.select(family="resnet50") if isinstance(row, Conv)]
    assert len(layers) == 23
    by_name = {row.name.partition("/")[2]: row.flops // 2 for row in layers}
    times = {
        "conv7x7s2-3-64-at224": 1,
        "conv1x1-64-64-at56": 1,
        "conv3x3-64-64-at56": 3,
        "conv1x1-64-256-at56": 4,  # three blocks and the projection
        "conv1x1-256-64-at56": 2,
    }
    for size, width, blocks in ((56, 128, 4), (28, 256, 6), (14, 512, 3)):
        half = size // 2
        times[f"conv1x1-{2 * width}-{width}-at{size}"] = 1
        times[f"conv3x3s2-{width}-{width}-at{size}"] = 1
        times[f"conv1x1-{width}-{4 * width}-at{half}"] = blocks
        times[f"conv1x1s2-{2 * width}-{4 * width}-at{size}"] = 1
        times[f"conv1x1-{4 * width}-{width}-at{half}"] = blocks - 1
        times[f"conv3x3-{width}-{width}-at{half}"] = blocks - 1
    assert by_name.keys() == times.keys()
    assert by_name["conv7x7s2-3-64-at224"] == 112 * 112 * 64 * 147
    assert by_name["conv3x3-64-64-at56"] == 115_605_504
    assert sum(by_name[name] * count for name, count in times.items()) == 4_087_136_256


def test_flops_of_vgg16() -> None:
    """15.35 G multiply-adds in the convolutions."""
    layers = [row for row in shapes.select(family="vgg16") if isinstance(row, Conv)]
    times = [1, 1, 1, 1, 1, 2, 1, 2, 3]
    total = sum(row.flops // 2 * count for row, count in zip(layers, times, strict=True))
    assert total == 15_346_630_656


def test_flops_of_others() -> None:
    def flops(name: str) -> int | None:
        (row,) = shapes.select(name)
        return row.flops

    assert flops("mobilenet_v2/conv3x3g144-144-144-at56") == 2 * 144 * 56 * 56 * 9
    assert flops("unet/up2x2s2-1024-512-at28") == 2 * 1024 * 512 * 28 * 28 * 4
    assert flops("image/dense31x31-at2048") == 2 * 31 * 31 * 2048 * 2048
    assert flops("image/gaussian31x31-at2048") == 2 * 62 * 2048 * 2048
    assert flops("image/box63x63-at2048") is None


def test_select() -> None:
    assert shapes.select() == shapes.WORKLOADS
    assert {row.family for row in shapes.select(family="tiny")} == {"tiny"}
    assert {row.operator for row in shapes.select("up", "dcgan")} == {"conv_transpose"}
    assert [row.name for row in shapes.select("tiny/*8-at64")] == ["tiny/conv3-8-8-at64"]
    with pytest.raises(ValueError, match="no family 'resnet51'; there are resnet50"):
        shapes.select(family="resnet51")
    with pytest.raises(ValueError, match="no workload of vgg16 has '9x9' in its name"):
        shapes.select("9x9", "vgg16")
