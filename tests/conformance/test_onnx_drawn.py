"""Convolutions that torch refuses, against ONNX's own reference on drawn nodes.

That is SAME with a stride, SAME of transposed convolution, and pads that differ at the two ends.
Data are small integers, so that sums are exact. Pools are left out: of these, ONNX's reference
gives SAME pads that overlook the dilation, or fails.
"""

from typing import Any

import adapter
import numpy as np
import onnx
import pytest
from drawing import RANKS, SEEDS, Array, equal, numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

WORDS = ["VALID", "SAME_UPPER", "SAME_LOWER"]


def compare(op_type: str, attributes: dict[str, Any], *inputs: Array) -> None:
    names = [f"input{i}" for i in range(len(inputs))]
    node = onnx.helper.make_node(op_type, names, ["y"], **attributes)
    evaluator = ReferenceEvaluator(node)
    (wanted,) = evaluator.run(None, dict(zip(names, inputs, strict=True)))
    equal(adapter.NODES[op_type](attributes, *inputs), wanted.astype(inputs[0].dtype))


def axes(draw: st.DataObject, rank: int, least: int, most: int) -> list[int]:
    return draw.draw(st.lists(st.integers(least, most), min_size=rank, max_size=rank))


def windows(
    draw: st.DataObject, rank: int, words: list[str]
) -> tuple[list[int], list[int], dict[str, Any]]:
    """Size, kernel, and attributes; every window fits without pads."""
    kernel, stride, dilation = (axes(draw, rank, 1, most) for most in (3, 3, 2))
    room = axes(draw, rank, 0, {1: 9, 2: 5, 3: 3}[rank])
    geometry = zip(kernel, dilation, room, strict=True)
    size = [d * (k - 1) + 1 + extra for k, d, extra in geometry]
    auto_pad = draw.draw(st.sampled_from(words))
    attributes = {
        "auto_pad": auto_pad, "kernel_shape": kernel, "strides": stride, "dilations": dilation,
    }  # fmt: skip
    if auto_pad == "NOTSET":
        attributes["pads"] = axes(draw, 2 * rank, 0, 2)
    return size, kernel, attributes


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=100)
@given(st.data())
def test_conv(rank: int, draw: st.DataObject) -> None:
    size, kernel, attributes = windows(draw, rank, ["NOTSET", *WORDS])
    rng = np.random.default_rng(draw.draw(SEEDS))
    x = numbers(rng, (2, 2, *size), "float32")
    compare("Conv", attributes, x, numbers(rng, (3, 2, *kernel), "float32"))


@pytest.mark.parametrize("rank", RANKS)
@settings(max_examples=100)
@given(st.data())
def test_conv_transpose(rank: int, draw: st.DataObject) -> None:
    size, kernel, attributes = windows(draw, rank, WORDS)
    # Where outputs lie further apart than a window reaches, SAME has to add to the output, not to
    # crop it. cconv does so at the end; ONNX does not say where, and its reference at the start.
    reach = [d * (k - 1) + 1 for d, k in zip(attributes["dilations"], kernel, strict=True)]
    attributes["strides"] = list(map(min, attributes["strides"], reach))
    rng = np.random.default_rng(draw.draw(SEEDS))
    x = numbers(rng, (1, 2, *size), "float32")
    compare("ConvTranspose", attributes, x, numbers(rng, (2, 2, *kernel), "float32"))
