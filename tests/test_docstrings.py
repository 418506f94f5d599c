"""Every public function says what it takes, gives and raises; and its errors say what was wrong.

A docstring is numpydoc: each parameter of the signature, the shape and dtype of each array, what is
returned and raised, and an example, which runs as a test of its own. A function may refer to
another one for a part: "As in `conv2d`", "which also says what is raised".
"""

import builtins
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

import calls
import numpy as np
import pytest
from test_errors import ones

import cconv

SECTIONS = ["Parameters", "Returns", "Raises", "See Also", "Notes", "References", "Examples"]
# A dtype's name, a word for a family of them, or that it is that of another array.
DTYPE = re.compile(r"\b(float|u?int|bool|complex)\d*\b|\bdtypes?\b|\b(real|integer|number)s?\b")
SHAPE = re.compile(r"\([^)]*\)|\bof the shape\b|\bshape\b|\b[1-3]-d\b|\baxes\b")
REFERENCE = re.compile(r"[Aa]s in `([\w.]+)`")
ARRAYS = ("ArrayLike", "NDArray", "FloatArray", "IndexArray", "Array")


def public() -> dict[str, Callable[..., Any]]:
    """Every public function by its full name."""
    found = {}
    for name in ("cconv", "cconv.ndimage", "cconv.signal"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        for attribute in module.__all__:
            value = getattr(module, attribute)
            if inspect.isfunction(value):
                found[f"{name}.{attribute}"] = value
    return found


PUBLIC = public()


def sections(function: Callable[..., Any]) -> dict[str, str]:
    """The docstring by sections; what comes before the first is called Summary."""
    text = inspect.getdoc(function) or ""
    names = "|".join(SECTIONS)
    parts = re.split(rf"^({names})\n-+$", text, flags=re.M)
    return {"Summary": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def documented(section: str) -> dict[str, tuple[str, str]]:
    """Type and text of each parameter of a section; several may share one entry."""
    found = {}
    for entry in re.split(r"\n(?=\S)", section.strip("\n")):
        head, _, text = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        for name in names.split(","):
            found[name.strip().lstrip("*")] = (kind, inspect.cleandoc(text))
    return found


def referred(
    text: str, beside: str, pattern: re.Pattern[str] = REFERENCE
) -> Callable[..., Any] | None:
    """The public function that a text refers to by "as in `...`", in the module of `beside`."""
    module = beside.rpartition(".")[0]
    for name in pattern.findall(text):
        for full in (name, f"{module}.{name}", f"cconv.{name}"):
            if full in PUBLIC:
                return PUBLIC[full]
    return None


def entry(name: str, parameter: str) -> tuple[str, str]:
    """Type and text of a parameter, where the function refers to for them."""
    kind, text = documented(sections(PUBLIC[name]).get("Parameters", ""))[parameter]
    while not kind and (other := referred(text, name)):
        kind, text = documented(sections(other)["Parameters"])[parameter]
    return kind, text


@pytest.mark.parametrize("name", PUBLIC)
def test_summary_and_example(name: str) -> None:
    parts = sections(PUBLIC[name])
    first = parts["Summary"].partition("\n")[0]
    assert re.fullmatch(r"[A-Z].{10,}\.", first), f"the first line is {first!r}"
    assert ">>> " in parts.get("Examples", ""), "there is no example"
    assert re.search(rf"\b{PUBLIC[name].__name__}\(", parts["Examples"]), "of another function"


@pytest.mark.parametrize("name", PUBLIC)
def test_each_parameter_is_documented(name: str) -> None:
    """In the order of the signature, and with its type, which says shape and dtype of an array."""
    parameters = inspect.signature(PUBLIC[name]).parameters
    given = documented(sections(PUBLIC[name]).get("Parameters", "")) if parameters else {}
    assert set(given) == set(parameters)
    for parameter in parameters.values():
        kind, text = entry(name, parameter.name)
        # Arguments that belong to another call are described there.
        assert kind or text.startswith("Those of the pool"), f"{parameter.name} has no type"
        if any(word in str(parameter.annotation) for word in ARRAYS):
            assert SHAPE.search(kind), f"{parameter.name} : {kind} has no shape"
            assert DTYPE.search(kind), f"{parameter.name} : {kind} has no dtype"


@pytest.mark.parametrize("name", PUBLIC)
def test_returns_and_raises(name: str) -> None:
    """What is returned; and what is raised, here or where the function refers to for it."""
    parts, signature = sections(PUBLIC[name]), inspect.signature(PUBLIC[name])
    if str(signature.return_annotation) != "None":
        assert parts.get("Returns", "").strip(), "it does not say what it returns"
    if not signature.parameters:
        return
    for _ in range(3):
        if "Raises" in parts:
            break
        text = parts.get("Returns", "") + parts["Summary"]
        said = re.search(r"what is raised|all that is said there holds", text, re.IGNORECASE)
        assert said, "it says neither what it raises nor where that is said"
        other = referred(text, name, re.compile(r"`([\w.]+)`"))
        assert other is not None, "it refers to no public function"
        parts = sections(other)
    raised = re.findall(r"\b[A-Z]\w+Error\b", parts["Raises"])
    assert raised, "no error is named"
    assert all(issubclass(getattr(builtins, error), Exception) for error in raised)


# ------------------------------------------------------------------------------- messages of errors

# A bad value of each parameter, and words that the message gives of it.
BAD: dict[str, tuple[Any, str]] = {
    "input": (None, "input"),
    "weight": (ones(2), "weight"),
    "depthwise_weight": (ones(2), "depthwise_weight"),
    "pointwise_weight": (ones(2), "pointwise_weight"),
    "bias": (ones(7), "bias"),
    "indices": (ones(3), "indices"),
    "stride": (-5, "stride is -5"),
    "padding": ("reflect", "padding is 'reflect'"),
    "output_padding": (-3, "output_padding is -3"),
    "output_size": (-4, "output_size"),
    "dilation": (0, "dilation is 0"),
    "groups": (0, "groups is 0"),
    "kernel_size": (0, "kernel_size is 0"),
    "norm_type": (-1, "norm_type is -1"),
    "p": (-1, "p is -1"),
    "padding_mode": ("wrap", "padding_mode is 'wrap'"),
    "padding_value": ("a", "padding_value is 'a'"),
    "layout": ("NHW", "layout is 'NHW'"),
    "activation": ("softmax", "'softmax'"),
    "residual": (ones(7), "residual"),
    "out": ([1.0], "out"),
    "algorithm": ("fft", "algorithm is 'fft'"),
    "threads": (0, "threads is 0"),
    "ceil_mode": (1, "ceil_mode is 1"),
    "count_include_pad": (1, "count_include_pad is 1"),
    "divisor_override": (0, "divisor_override is 0"),
    "return_indices": (1, "return_indices is 1"),
    "keepdims": (1, "keepdims is 1"),
    "input_shape": ((3,), "input_shape"),
    "weight_shape": ((3,), "weight_shape"),
    "layers": ([(0,)], "layers[0]"),
    "n": (0, "n is 0"),
    "mode": ("yaml", "mode is 'yaml'"),
}


@pytest.mark.parametrize("name", calls.FUNCTIONS)
def test_an_error_names_function_argument_and_value(name: str) -> None:
    """For every parameter of every function, also one that is new."""
    function = calls.function(name)
    arguments = calls.good(name)
    for parameter in calls.parameters(name):
        bad, words = BAD[parameter]
        with pytest.raises((ValueError, TypeError)) as caught:
            function(**arguments | {parameter: bad})
        message = str(caught.value)
        assert message.startswith(f"{name}: "), message
        assert words in message, f"{parameter}: {message}"
        assert "expected" in message, message


@pytest.mark.parametrize("name", calls.FUNCTIONS)
def test_a_good_call_is_good(name: str) -> None:
    """What the other test spoils is sound, so that only the bad value can be refused."""
    before = cconv.get_num_threads()
    try:
        result = calls.function(name)(**calls.good(name))
    finally:
        cconv.set_num_threads(before)
    assert result is None or not isinstance(result, np.ndarray) or result.size
