"""ONNX nodes as calls of cconv: one function for each type of node.

A function takes the attributes of its node as a dict, and its inputs; it gives the outputs. ONNX
writes pads as all beginnings, then all ends; cconv one pair an axis. Nodes that only move data or
apply one formula to each element are left to ONNX's own evaluator.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from cases import AVG_POOL, CONV, LP_POOL, MAX_POOL
from onnx.reference import ReferenceEvaluator

import cconv

Array = npt.NDArray[Any]
Attributes = dict[str, Any]
CONV_TRANSPOSE = {1: cconv.conv_transpose1d, 2: cconv.conv_transpose2d, 3: cconv.conv_transpose3d}
MAX_UNPOOL = {1: cconv.max_unpool1d, 2: cconv.max_unpool2d, 3: cconv.max_unpool3d}
WORDS = {"VALID": "valid", "SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
HELPERS = {
    "Cast", "CastLike", "Concat", "Constant", "ConstantOfShape", "Identity", "Mul", "Shape",
    "Sigmoid", "Slice", "Squeeze", "Sub", "Unsqueeze",
}  # fmt: skip


# -------------------------------------------------------------------------------------- attributes


def padding(attributes: Attributes, rank: int) -> Any:
    """A word for auto_pad, else one pair an axis."""
    auto_pad = attributes.get("auto_pad", "NOTSET")
    if auto_pad != "NOTSET":
        return WORDS[auto_pad]
    pads = attributes.get("pads", [0] * 2 * rank)
    return list(zip(pads[:rank], pads[rank:], strict=True))


def pool_windows(attributes: Attributes) -> Attributes:
    """What the pools take besides the kernel. Strides are 1 where ONNX leaves them out."""
    rank = len(attributes["kernel_shape"])
    return {
        "stride": attributes.get("strides", 1),
        "padding": padding(attributes, rank),
        "dilation": attributes.get("dilations", 1),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
    }


def conv_windows(attributes: Attributes, weight: Array) -> Attributes:
    """What convolutions take besides the arrays."""
    kernel = list(weight.shape[2:])
    assert attributes.get("kernel_shape", kernel) == kernel
    return {
        "stride": attributes.get("strides", 1),
        "padding": padding(attributes, len(kernel)),
        "dilation": attributes.get("dilations", 1),
        "groups": attributes.get("group", 1),
    }


def plane_offsets(shape: Sequence[int]) -> Array:
    """Where each channel plane (n, c) begins in the flat tensor, to add to indices of planes."""
    planes = math.prod(shape[:2])
    starts = np.arange(planes) * math.prod(shape[2:])
    return starts.reshape(*shape[:2], *(1,) * (len(shape) - 2))


# ------------------------------------------------------------------------------------- convolutions


def conv(attributes: Attributes, x: Array, w: Array, bias: Array | None = None) -> Array:
    return CONV[w.ndim - 2](x, w, bias, **conv_windows(attributes, w))


def conv_integer(
    attributes: Attributes, x: Array, w: Array, x_zero: Any = 0, w_zero: Any = 0
) -> Array:
    """Exact: the differences of 8-bit numbers fit in int16, and their convolution is int64.

    ONNX pads with the zero point of x, which is 0 once that is subtracted. The zero point of w is
    one number, or one for each filter.
    """
    per_filter = np.reshape(w_zero, (-1, *(1,) * (w.ndim - 1)))
    centred = x.astype(np.int16) - np.int16(x_zero), w.astype(np.int16) - np.int16(per_filter)
    y = CONV[w.ndim - 2](*centred, **conv_windows(attributes, w))
    assert y.dtype == np.int64
    return y.astype(np.int32)


def conv_transpose(attributes: Attributes, x: Array, w: Array, bias: Array | None = None) -> Array:
    windows = conv_windows(attributes, w)
    output_shape = attributes.get("output_shape")
    output_padding = attributes.get("output_padding", 0)
    if output_shape is None:
        windows["output_padding"] = output_padding
    elif not np.any(output_padding):
        # Without auto_pad, too, ONNX gives the larger part to the beginning.
        word = WORDS.get(attributes.get("auto_pad", "NOTSET"), "same_lower")
        windows |= {"padding": word, "output_size": output_shape}
    else:
        windows["padding"] = transposed_pads(attributes, x.shape[2:], w.shape[2:])
    return CONV_TRANSPOSE[w.ndim - 2](x, w, bias, **windows)


def transposed_pads(
    attributes: Attributes, size: Sequence[int], kernel: Sequence[int]
) -> list[tuple[int, int]]:
    """ONNX's formulas for a node with output_padding and output_shape; cconv takes one of them.

    The end is cropped by what the output would have too many; output_padding is part of that.
    """
    ones = [1] * len(size)
    geometry = zip(
        size, kernel, attributes.get("strides", ones), attributes.get("dilations", ones),
        attributes["output_padding"], attributes["output_shape"], strict=True,
    )  # fmt: skip
    pads = []
    for n, k, stride, dilation, extra, wanted in geometry:
        full = (n - 1) * stride + dilation * (k - 1) + 1
        total = max(full + extra - wanted, 0)
        upper = attributes.get("auto_pad") == "SAME_UPPER"
        before = total // 2 if upper else total - total // 2
        pads.append((before, full - wanted - before))
    return pads


def col2im(attributes: Attributes, columns: Array, image_shape: Array, block_shape: Array) -> Array:
    rank = len(image_shape)
    return cconv.fold(
        columns,
        image_shape.tolist(),
        block_shape.tolist(),
        dilation=attributes.get("dilations", 1),
        padding=padding(attributes, rank),
        stride=attributes.get("strides", 1),
    )


# -------------------------------------------------------------------------------------------- pools


def max_pool(attributes: Attributes, x: Array) -> tuple[Array, Array]:
    """Indices of ONNX are flat in the whole tensor; storage_order=1 counts a plane by columns."""
    rank = x.ndim - 2
    windows = pool_windows(attributes)
    y, indices = MAX_POOL[rank](x, attributes["kernel_shape"], **windows, return_indices=True)
    if attributes.get("storage_order", 0):
        places = np.unravel_index(indices, x.shape[2:])
        indices = np.ravel_multi_index(places, x.shape[2:], order="F")
    return y, indices + plane_offsets(x.shape)


def average_pool(attributes: Attributes, x: Array) -> Array:
    return AVG_POOL[x.ndim - 2](
        x,
        attributes["kernel_shape"],
        **pool_windows(attributes),
        count_include_pad=bool(attributes.get("count_include_pad", 0)),
    )


def lp_pool(attributes: Attributes, x: Array) -> Array:
    p = attributes.get("p", 2)
    return LP_POOL[x.ndim - 2](x, p, attributes["kernel_shape"], **pool_windows(attributes))


def global_max_pool(attributes: Attributes, x: Array) -> Array:
    assert not attributes
    return cconv.global_max_pool(x)


def global_average_pool(attributes: Attributes, x: Array) -> Array:
    assert not attributes
    return cconv.global_avg_pool(x)


def global_lp_pool(attributes: Attributes, x: Array) -> Array:
    return cconv.global_lp_pool(x, p=attributes.get("p", 2))


def max_unpool(
    attributes: Attributes, x: Array, indices: Array, output_shape: Array | None = None
) -> Array:
    """ONNX's indices belong to the size that kernel and strides imply; output_shape adds zeros."""
    rank = x.ndim - 2
    kernel = attributes["kernel_shape"]
    stride = attributes.get("strides", [1] * rank)
    pads = padding(attributes, rank)
    geometry = zip(x.shape[2:], kernel, stride, pads, strict=True)
    implied = [(n - 1) * s + k - before - after for n, k, s, (before, after) in geometry]
    places = indices - plane_offsets((*x.shape[:2], *implied))
    y = MAX_UNPOOL[rank](x, places, kernel, stride, pads)
    if output_shape is None:
        return y
    return np.pad(y, [(0, int(n) - m) for n, m in zip(output_shape, y.shape, strict=True)])


NODES: dict[str, Callable[..., Array | tuple[Array, ...]]] = {
    "AveragePool": average_pool,
    "Col2Im": col2im,
    "Conv": conv,
    "ConvInteger": conv_integer,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": global_average_pool,
    "GlobalLpPool": global_lp_pool,
    "GlobalMaxPool": global_max_pool,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
    "MaxUnpool": max_unpool,
}


# ------------------------------------------------------------------------------------------- models


def run(model: onnx.ModelProto, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of a model whose nodes are in NODES or in HELPERS."""
    graph = model.graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    free = [value.name for value in graph.input if value.name not in values]
    values |= zip(free, inputs, strict=True)
    for node in graph.node:
        given = [values[name] if name else None for name in node.input]
        if node.op_type in NODES:
            attributes = {a.name: attribute(a) for a in node.attribute}
            found = NODES[node.op_type](attributes, *given)
            found = found if isinstance(found, tuple) else (found,)
        else:
            assert node.op_type in HELPERS, node.op_type
            found = ReferenceEvaluator(alone(node, model)).run(
                None, {name: value for name, value in zip(node.input, given, strict=True) if name}
            )
        values |= zip(node.output, found, strict=False)
    return [values[value.name] for value in graph.output]


def attribute(given: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(given)
    return value.decode() if isinstance(value, bytes) else value


def alone(node: onnx.NodeProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """A model of one node, at the version of the operators that `model` asks for."""
    unknown = onnx.TypeProto()

    def named(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [onnx.helper.make_value_info(name, unknown) for name in names if name]

    graph = onnx.helper.make_graph([node], node.op_type, named(node.input), named(node.output))
    return onnx.helper.make_model(graph, opset_imports=model.opset_import)
