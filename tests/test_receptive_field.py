"""receptive_field: against gradients of real stacks, by looking at which inputs reach an output."""

from collections.abc import Callable
from random import Random
from typing import Any

import cases
import numpy as np
import pytest
from test_errors import HUGE, check

import cconv
from cconv import receptive_field


def seen_by_outputs(layers: list[tuple[Any, ...]], size: int) -> list[tuple[int, int]]:
    """The first and the last input that reach each output, found by NaN in each place."""
    spans: dict[int, list[int]] = {}
    for place in range(size):
        x = np.zeros((1, 1, size))
        x[0, 0, place] = np.nan
        for kernel, stride, padding, dilation in layers:
            x = cconv.conv1d(x, np.ones((1, 1, kernel)), None, stride, (padding,), dilation)
        for output in np.flatnonzero(np.isnan(x[0, 0])):
            spans.setdefault(int(output), []).append(place)
    return [(min(spans[o]), max(spans[o])) if o in spans else (-1, -1) for o in range(x.size)]


def draw_layer(random: Random) -> tuple[Any, ...]:
    pads = (random.randint(0, 3), random.randint(0, 3))
    return random.randint(1, 4), random.randint(1, 3), pads, random.randint(1, 3)


def test_drawn_stacks() -> None:
    """Where the receptive field lies inside the input, it is what the output sees."""
    for index in range(60 // cases.SHARE + 1):
        random = Random(index)
        layers = [draw_layer(random) for _ in range(random.randint(1, 3))]
        field = receptive_field([(k, s, (p,), d) for k, s, p, d in layers])
        (size,), (stride,), (padding,) = field
        inputs = size + 2 * stride + padding + 3
        for output, (first, last) in enumerate(seen_by_outputs(layers, inputs)):
            start = output * stride - padding
            if start >= 0 and start + size <= inputs:
                assert (first, last) == (start, start + size - 1), (layers, output)


def test_known_networks() -> None:
    alexnet = [(11, 4, 2), (3, 2), (5, 1, 2), (3, 2), *[(3, 1, 1)] * 3, (3, 2)]
    assert receptive_field(alexnet) == ((195,), (32,), (66,))
    blocks = [(3, 4), (4, 4), (6, 6), (3, 3)]
    resnet50: list[Any] = [(7, 2, 3), (3, 2, 1)]
    for block, (count, _) in enumerate(blocks):
        for i in range(count):
            resnet50 += [(1,), (3, 2 if block and not i else 1, 1), (1,)]
    field = receptive_field(resnet50)
    assert (field.size, field.stride) == ((427,), (32,))


def test_forms() -> None:
    expected = receptive_field([(3, 2, 1, 2), (2, 2)])
    assert expected == ((7,), (4,), (1,))
    first = {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}
    assert receptive_field([first, (2, None)]) == expected
    assert receptive_field([[3, 2, 1, 2], {"kernel_size": 2, "stride": None}]) == expected
    assert receptive_field([((3,), 2, ((1, 5),), (2,)), ((2,), 2)]) == expected
    two = receptive_field([((3, 5), 2, 1), (2, (1, 3), ((1, 0), 2))])
    assert two == ((5, 7), (2, 6), (3, 5))
    assert receptive_field([(3, 1, (1, 2, 3))]).padding == (1, 2, 3)
    assert receptive_field([]) == ((1,), (1,), (0,))
    assert receptive_field([(np.int64(3), np.uint8(2))]) == ((3,), (2,), (0,))
    assert receptive_field(iter([(3,)])) == ((3,), (1,), (0,))
    field = receptive_field(
        [(4, 1, "same"), (4, 1, "same_lower"), (4, 3, "causal"), (4, 2, "valid")]
    )
    assert field == ((19,), (6,), (1 + 2 + 3,))
    assert all(type(n) is int for part in field for n in part)


ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "unknown key": (
        ValueError, lambda: receptive_field([{"kernel_size": 3, "strides": 2}]),
        ["layers[0]", "'strides'", "'stride'"],
    ),
    "no kernel": (
        ValueError, lambda: receptive_field([(3,), {"stride": 2}]), ["layers[1]", "'kernel_size'"],
    ),
    "no sequence": (TypeError, lambda: receptive_field(3), ["layers is 3", "expected a sequence"]),
    "a number": (TypeError, lambda: receptive_field([3]), ["layers[0] is 3", "kernel_size"]),
    "a word": (TypeError, lambda: receptive_field(["conv"]), ["layers[0] is 'conv'"]),
    "empty": (TypeError, lambda: receptive_field([()]), ["layers[0] is ()"]),
    "too long": (TypeError, lambda: receptive_field([(3, 1, 0, 1, 1)]), ["layers[0]", "dilation"]),
    "ranks": (
        ValueError, lambda: receptive_field([(3,), ((3, 3),), ((3, 3, 3),)]),
        ["layers[2] has 3", "layers[1] has 2", "same number"],
    ),
    "ranks in a layer": (
        ValueError, lambda: receptive_field([((3, 3), (1,))]), ["layers[0]", "(3, 3)"],
    ),
    "four axes": (ValueError, lambda: receptive_field([((3,) * 4,)]), ["layers[0]", "1, 2 or 3"]),
    "kernel 0": (ValueError, lambda: receptive_field([(0,)]), ["layers[0]: kernel_size is 0", "1"]),
    "stride 0": (ValueError, lambda: receptive_field([(3, 0)]), ["layers[0]: stride is 0", "1"]),
    "float": (TypeError, lambda: receptive_field([(3, 1.5)]), ["stride is 1.5", "int"]),
    "padding": (ValueError, lambda: receptive_field([(3, 1, "SAME")]), ["'SAME'", "'same'"]),
    "same with a stride": (
        ValueError, lambda: receptive_field([(3,), (3, 2, "same")]),
        ["layers[1]: padding is 'same' with a stride", "size of the input", "numbers"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, "receptive_field: ", *fragments)


@pytest.mark.parametrize("n", HUGE)
def test_huge_numbers(n: int) -> None:
    for layers in ([(n,)] * 2, [(2, n)] * 3, [(2, 1, n), (3, n)], [(2, 1, 0, n), (2, n, n)]):
        try:
            field = receptive_field(layers)
        except OverflowError as error:
            assert str(error).startswith("receptive_field: ")  # noqa: PT017
        else:
            assert all(abs(number) < 2**63 for part in field for number in part)
