"""ONNX's backend tests of single nodes, as the onnx package makes them, through `adapter`.

The package computes the expected outputs itself, by formulas or by its reference. A case either
passes or stands in NOT_IN_THE_INTERFACE with the reason.
"""

import warnings
from collections import Counter

import adapter
import numpy as np
import onnx
import pytest
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

# The least number of cases for each type of node. onnx has no case of GlobalLpPool: see below.
LEAST = {
    "AveragePool": 20,
    "Col2Im": 5,
    "Conv": 6,
    "ConvInteger": 2,
    "ConvTranspose": 11,
    "GlobalAveragePool": 2,
    "GlobalMaxPool": 2,
    "LpPool": 8,
    "MaxPool": 19,
    "MaxUnpool": 2,
}
# Functions of ONNX that are written with these nodes and come with their expansion.
LEAST_EXPANSIONS = {"Conv": 13}

NOT_IN_THE_INTERFACE: dict[str, str] = {}


def load() -> tuple[dict[str, TestCase], Counter[str], Counter[str]]:
    """Cases with a node that the adapter knows; how many are that node alone, and how many more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package makes the cases of all nodes, and overflows
        every = load_model_tests(kind="node")
    cases, single, expanded = {}, Counter(), Counter()
    for case in every:
        known = {node.op_type for node in case.model.graph.node} & set(adapter.NODES)
        if known:
            cases[case.name] = case
            (single if len(case.model.graph.node) == 1 else expanded).update(known)
    return cases, single, expanded


CASES, SINGLE, EXPANDED = load()


def check(case: TestCase) -> None:
    for inputs, expected in case.data_sets:
        outputs = adapter.run(case.model, inputs)
        for y, wanted in zip(outputs, expected, strict=True):
            assert y.dtype == wanted.dtype
            assert y.shape == wanted.shape
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(y, wanted, rtol=case.rtol, atol=case.atol)
            else:
                np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("name", CASES)
def test_node(name: str) -> None:
    if name not in NOT_IN_THE_INTERFACE:
        check(CASES[name])
        return
    try:
        check(CASES[name])
    except (AssertionError, TypeError, ValueError):
        return
    pytest.fail("passes, but stands in NOT_IN_THE_INTERFACE")


def test_all_types_of_node_were_found() -> None:
    assert {*LEAST, "GlobalLpPool"} == set(adapter.NODES)
    assert set(SINGLE) <= set(adapter.NODES)
    assert Counter(LEAST) <= SINGLE, SINGLE
    assert Counter(LEAST_EXPANSIONS) <= EXPANDED, EXPANDED
    assert set(CASES) >= set(NOT_IN_THE_INTERFACE)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_global_lp_pool(rank: int, p: int) -> None:
    """GlobalLpPool is LpPool over the whole plane, which ONNX's reference computes."""
    size = (5, 6, 3)[:rank]
    x = np.random.default_rng(rank).standard_normal((2, 3, *size)).astype(np.float32)
    whole = onnx.helper.make_node("LpPool", ["x"], ["y"], kernel_shape=size, p=p)
    (wanted,) = ReferenceEvaluator(whole).run(None, {"x": x})
    everywhere = onnx.helper.make_node("GlobalLpPool", ["x"], ["y"], p=p)
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [everywhere], "GlobalLpPool",
        [tensor("x", onnx.TensorProto.FLOAT, x.shape)],
        [tensor("y", onnx.TensorProto.FLOAT, wanted.shape)],
    )  # fmt: skip
    (y,) = adapter.run(onnx.helper.make_model(graph), [x])
    assert y.dtype == wanted.dtype
    assert y.shape == wanted.shape
    np.testing.assert_allclose(y, wanted, rtol=1e-5)
