"""What goes in: DLPack, buffers, byte orders, strides; and what `out` may overlap."""

import array
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
from cases import assert_same_bits
from test_dtypes import ALL, FLOATS, values
from test_errors import check, ones

import cconv


class Tensor:
    """Another library's tensor: it speaks DLPack alone, and counts how often it was read."""

    def __init__(self, values: Any, device: int = 1) -> None:
        self.values = np.asarray(values)
        self.device = device
        self.exports = 0

    def __dlpack__(self, **keywords: Any) -> Any:
        self.exports += 1
        return self.values.__dlpack__(**keywords)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device, 0)


class Refusing(Tensor):
    """A tensor whose library will not hand it out, such as torch's that require grad."""

    dtype = "bfloat16"

    def __dlpack__(self, **keywords: Any) -> Any:
        raise BufferError("Can't export tensors that require gradient")


class Owing(Tensor):
    """A view of memory that is yet to be negated, such as torch's z.conj().imag."""

    def resolve_neg(self) -> Tensor:
        return Tensor(-self.values)


class Interface:
    """An object with `__array_interface__` only."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    @property
    def __array_interface__(self) -> Any:
        return self.values.__array_interface__


X, W, B = (
    np.arange(2 * 4 * 6 * 7, dtype="f4").reshape(2, 4, 6, 7) % 13,
    np.arange(4 * 4 * 9, dtype="f4").reshape(4, 4, 3, 3) % 5 - 2,
    np.array([1, -1, 2, 0], "f4"),
)
TOP, PLACES = cconv.max_pool2d(X[..., :6], 2, return_indices=True)
CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "conv2d": (cconv.conv2d, (X, W, B)),
    "depthwise_conv2d": (cconv.depthwise_conv2d, (X, W[:, :1], B)),
    "separable_conv2d": (cconv.separable_conv2d, (X, W[:, :1], W[:2, :, :1, :1], B[:2])),
    "conv_transpose2d": (cconv.conv_transpose2d, (X, W, B)),
    "max_pool2d": (lambda x, **k: cconv.max_pool2d(x, 2, **k), (X,)),
    "avg_pool2d": (lambda x, **k: cconv.avg_pool2d(x, 2, **k), (X,)),
    "lp_pool2d": (lambda x, **k: cconv.lp_pool2d(x, 2, 2, **k), (X,)),
    "adaptive_max_pool2d": (lambda x, **k: cconv.adaptive_max_pool2d(x, 3, **k), (X,)),
    "global_avg_pool": (cconv.global_avg_pool, (X,)),
    "max_unpool2d": (lambda x, i, **k: cconv.max_unpool2d(x, i, 2, **k), (TOP, PLACES)),
    "unfold": (lambda x, **k: cconv.unfold(x, 3, **k), (X,)),
    "fold": (lambda x, **k: cconv.fold(x, (6, 7), 3, **k), (cconv.unfold(X, 3),)),
}


def swapped(a: cases.Array) -> cases.Array:
    return a.astype(a.dtype.newbyteorder())


def negative(a: cases.Array) -> cases.Array:
    index = (slice(None, None, -1),) * a.ndim
    return a[index].copy()[index]


def readonly(a: cases.Array) -> cases.Array:
    a = a.copy()
    a.flags.writeable = False
    return a


def permuted(a: cases.Array) -> cases.Array:
    return np.ascontiguousarray(a.transpose(np.roll(range(a.ndim), 1))).transpose(
        np.roll(range(a.ndim), -1)
    )


FORMS: dict[str, Callable[[cases.Array], Any]] = {
    "dlpack": Tensor,
    "dlpack permuted": lambda a: Tensor(permuted(a)),
    "interface": Interface,
    "memoryview": memoryview,
    "list": lambda a: a.astype("f8" if a.dtype.kind == "f" else a.dtype).tolist(),
    "swapped": swapped,
    "unaligned": cases.unaligned,
    "swapped unaligned": lambda a: cases.unaligned(swapped(a)),
    "negative": negative,
    "read-only": readonly,
    "fortran": np.asfortranarray,
    "permuted": permuted,
    "subclass": lambda a: a.view(type("Image", (np.ndarray,), {})),
    "longlong": lambda a: a.astype(np.longlong) if a.dtype == np.int64 else a,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CALLS)
def test_every_operand_in_every_form(name: str, form: str) -> None:
    """One operand at a time, then all of them; sums of these numbers are exact."""
    call, operands = CALLS[name]
    expected = call(*operands)
    for changed in (*range(len(operands)), None):
        given = [FORMS[form](a) if changed in (i, None) else a for i, a in enumerate(operands)]
        before = [a.copy() if isinstance(a, np.ndarray) else None for a in given]
        y = call(*given)
        if form == "list" and y.dtype == np.float64:
            if name in ("lp_pool2d", "avg_pool2d", "global_avg_pool"):
                np.testing.assert_allclose(y, expected, 1e-6)
                continue
            y = y.astype(expected.dtype)
        assert type(y) is np.ndarray
        assert_same_bits(y, expected)
        for a, old in zip(given, before, strict=True):
            assert old is None or np.array_equal(a, old)


@pytest.mark.parametrize("dtype", ALL)
def test_dlpack_of_every_dtype(dtype: str) -> None:
    rng = np.random.default_rng(1)
    x, w = values(rng, (1, 2, 5), dtype), values(rng, (3, 2, 2), dtype)
    tensor = Tensor(x)
    assert_same_bits(cconv.conv1d(tensor, Tensor(w)), cconv.conv1d(x, w))
    assert tensor.exports == 1
    assert_same_bits(cconv.max_pool1d(Tensor(x), 2), cconv.max_pool1d(x, 2))


@pytest.mark.parametrize("dtype", [d for d in ALL if np.dtype(d).itemsize > 1])
def test_both_byte_orders_of_every_dtype(dtype: str) -> None:
    rng = np.random.default_rng(2)
    x, w, b = (values(rng, shape, dtype) for shape in [(1, 2, 5), (3, 2, 2), (3,)])
    residual = values(rng, (1, 3, 4), str(cconv.conv1d(x, w).dtype))
    y = cconv.conv1d(swapped(x), swapped(w), swapped(b), residual=swapped(residual))
    assert_same_bits(y, cconv.conv1d(x, w, b, residual=residual))
    assert y.dtype.isnative
    for function in (cconv.max_pool1d, cconv.min_pool1d, cconv.avg_pool1d):
        assert_same_bits(function(swapped(x), 2), function(x, 2))


def test_buffers_of_the_standard_library() -> None:
    """array.array and bytearray have one axis: what they hold is a bias, or bytes to look at."""
    y = cconv.conv2d(X, W, array.array("f", B.tolist()))
    assert_same_bits(y, cconv.conv2d(X, W, B))
    plane = memoryview(bytearray(range(24))).cast("B", (1, 1, 4, 6))
    expected = np.arange(24, dtype="u1").reshape(1, 1, 4, 6)
    assert_same_bits(cconv.max_pool2d(plane, 2), cconv.max_pool2d(expected, 2))


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_tensor_is_read_in_place(dtype: str) -> None:
    """`out` in the tensor's own memory: only where that is shared does the call see an overlap."""
    x = ones(1, 1, 3, 3, dtype=dtype)
    tensor = Tensor(x)
    assert cconv.conv2d(tensor, ones(1, 1, 1, 1, dtype=dtype), out=x) is x
    x[0, 0, 1, 1] = 9
    assert cconv.max_pool2d(tensor, 3).item() == 9


def test_zero_strides() -> None:
    x = np.broadcast_to(np.float32(2), (2, 4, 6, 7))
    w = np.broadcast_to(np.float32(3), (4, 4, 3, 3))
    b = np.broadcast_to(np.float32(1), (4,))
    assert_same_bits(cconv.conv2d(x, w, b), np.full((2, 4, 4, 5), 2 * 3 * 36 + 1, "f4"))
    assert_same_bits(
        cconv.conv_transpose2d(x, w, b), cconv.conv_transpose2d(x.copy(), w.copy(), b.copy())
    )


ERRORS: dict[str, tuple[type[Exception], Callable[[], Any], list[str]]] = {
    "device": (
        ValueError, lambda: cconv.conv2d(Tensor(X, device=2), W),
        ["conv2d: input is Tensor on device 2", "processor", ".cpu()"],
    ),
    "device of the weight": (
        ValueError, lambda: cconv.conv2d(X, Tensor(W, device=2)), ["conv2d: weight is Tensor"],
    ),
    "refused": (
        TypeError, lambda: cconv.max_pool2d(Refusing(X), 2),
        ["max_pool2d: input is Refusing of dtype bfloat16", "gradient", "float16, float32"],
    ),
    "indices": (
        TypeError, lambda: cconv.max_unpool2d(TOP, Refusing(PLACES), 2), ["max_unpool2d: indices"],
    ),
    "complex": (TypeError, lambda: cconv.conv2d(Tensor(X * 1j), W), ["input has dtype complex64"]),
    "residual": (
        TypeError, lambda: cconv.conv2d(X, W, residual=Refusing(X)), ["residual is Refusing"],
    ),
    "bytes": (TypeError, lambda: cconv.unfold(b"abcd", 2), ["unfold: input has dtype bytes32"]),
    "masked bias": (
        TypeError, lambda: cconv.conv2d(X, W, np.ma.masked_array(B)), ["bias is a masked array"],
    ),
    "masked residual": (
        TypeError, lambda: cconv.conv2d(X, W, residual=np.ma.masked_array(X)),
        ["residual is a masked array"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    error, call, fragments = ERRORS[name]
    check(error, call, *fragments)


def test_a_tensor_that_owes_its_sign() -> None:
    """DLPack cannot say that memory is to be negated, so the tensor has to do it first."""
    assert_same_bits(cconv.conv2d(Owing(-X), Owing(-W), Owing(-B)), cconv.conv2d(X, W, B))


# ------------------------------------------------------------------------------------------ out


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "int64", "bool"])
def test_out_may_overlap_the_input(dtype: str) -> None:
    """`out` in memory that the input uses, from every offset, reads as if it were elsewhere."""
    rng = np.random.default_rng(4)
    x = values(rng, (1, 2, 9), dtype)
    top = cconv.max_pool1d(x, 3, 1, "same")
    for offset in range(3):
        memory = np.concatenate([np.zeros(offset, dtype), x.ravel(), np.zeros(4, dtype)])
        source = memory[offset : offset + x.size].reshape(x.shape)
        out = memory[: x.size].reshape(x.shape)
        assert cconv.max_pool1d(source, 3, 1, "same", out=out) is out
        assert_same_bits(out, top)
    if dtype != "int8" and dtype != "bool":
        w = values(rng, (2, 2, 3), dtype)
        expected = cconv.conv1d(x, w, padding=1)
        assert_same_bits(cconv.conv1d(x, w, padding=1, out=x), expected)


def test_out_may_overlap_an_input_of_another_dtype() -> None:
    """The sums of bytes land in the bytes themselves."""
    memory = np.zeros(64, "u1")
    x, out = memory[:16].reshape(1, 1, 16), memory[:56].view("i4").reshape(1, 1, 14)
    x[...] = np.arange(16)
    w = np.ones((1, 1, 3), "u1")
    expected = cconv.conv1d(x.copy(), w)
    assert_same_bits(cconv.conv1d(x, w, out=out), expected)


def test_out_of_an_equal_dtype_of_another_name() -> None:
    x = np.arange(6).reshape(1, 1, 6)
    out = np.zeros((1, 1, 5), np.longlong)
    assert cconv.conv1d(x, np.ones((1, 1, 2), np.longlong), out=out) is out
    assert out.tolist() == [[[1, 3, 5, 7, 9]]]
