"""ONNX's models converted from PyTorch, with their recorded inputs and outputs.

The onnx package brings them as files. Those with a convolution or a pool run whole.
"""

from collections import Counter
from pathlib import Path

import adapter
import numpy as np
import onnx
import pytest
from onnx.backend.test.loader import load_model_tests

KINDS = ("pytorch-converted", "pytorch-operator")

# The least number of models for each type of node.
LEAST = {"AveragePool": 7, "Conv": 27, "ConvTranspose": 3, "MaxPool": 9}

NOT_IN_THE_INTERFACE: dict[str, str] = {}


def load() -> tuple[dict[str, tuple[onnx.ModelProto, Path]], Counter[str]]:
    """Models and folders of recorded data by name; how many have each type of node."""
    found, counts = {}, Counter()
    for kind in KINDS:
        for case in sorted(load_model_tests(kind=kind), key=lambda case: case.name):
            model = onnx.load(Path(case.model_dir, "model.onnx"))
            known = {node.op_type for node in model.graph.node} & set(adapter.NODES)
            if known:
                found[case.name] = model, Path(case.model_dir)
                counts.update(known)
    return found, counts


CASES, COUNTS = load()


def recorded(folder: Path, what: str) -> list[adapter.Array]:
    """The tensors of one data set: input_0.pb, input_1.pb, ... or outputs."""
    files = sorted(folder.glob(f"{what}_*.pb"), key=lambda file: int(file.stem.split("_")[1]))
    return [onnx.numpy_helper.to_array(onnx.load_tensor(file)) for file in files]


def check(name: str) -> None:
    model, folder = CASES[name]
    data_sets = sorted(folder.glob("test_data_set_*"))
    assert data_sets
    for data in data_sets:
        wanted = recorded(data, "output")
        assert wanted
        outputs = adapter.run(model, recorded(data, "input"))
        for y, expected in zip(outputs, wanted, strict=True):
            assert y.dtype == expected.dtype
            assert y.shape == expected.shape
            np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_model(name: str) -> None:
    if name not in NOT_IN_THE_INTERFACE:
        check(name)
        return
    try:
        check(name)
    except (AssertionError, TypeError, ValueError):
        return
    pytest.fail("passes, but stands in NOT_IN_THE_INTERFACE")


def test_all_models_were_found() -> None:
    assert Counter(LEAST) <= COUNTS, COUNTS
    assert set(CASES) >= set(NOT_IN_THE_INTERFACE)
