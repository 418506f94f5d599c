"""New results: where their memory begins, and that they are arrays like others in all else."""

import ctypes
import pickle
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import cconv
from cconv import ndimage, signal

LINE = 64
LARGE = (1, 8, 64, 64)
SMALL = (1, 2, 8, 8)

Array = NDArray[Any]


def results_of(shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """What every way gives for an image of this shape; each is asked twice, for calls remember."""
    x = np.ones(shape, np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    weight = np.ones((shape[1], shape[1], 1, 1), np.float32)
    plan = cconv.ConvPlan(weight, input_shape=shape)
    ways: dict[str, Callable[[], Any]] = {
        "conv2d": lambda: cconv.conv2d(x, weight),
        "plan": lambda: plan(x),
        "channels last": lambda: cconv.conv2d(last, weight, layout="NHWC"),
        "a view of channels last": lambda: cconv.conv2d(last.transpose(0, 3, 1, 2), weight),
        "conv_transpose2d": lambda: cconv.conv_transpose2d(x, weight),
        "max_pool2d": lambda: cconv.max_pool2d(x, 3, 1, 1),
        "its indices": lambda: cconv.max_pool2d(x, 3, 1, 1, return_indices=True)[1],
        "uniform_filter": lambda: ndimage.uniform_filter(x, 3),
        "convolve2d": lambda: signal.convolve2d(x.reshape(-1, shape[-1]), np.ones((2, 2), "f4")),
        "unfold": lambda: cconv.unfold(x, 1),
    }
    for name, call in ways.items():
        for time in ("first", "second"):
            yield f"{name}, {time} call", call()


def begins_with_line(array: Array) -> bool:
    return array.__array_interface__["data"][0] % LINE == 0


def owner(array: Array) -> Array:
    """Whose memory a result is: its own, or, if axes were moved, of that beneath it."""
    return array if array.base is None else array.base


def test_large_results_begin_with_a_line(core: ModuleType) -> None:
    for name, result in results_of(LARGE):
        assert begins_with_line(result), name


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_results_own_their_memory(shape: tuple[int, ...]) -> None:
    for name, result in results_of(shape):
        assert owner(result).flags.owndata, name
        assert result.flags.writeable, name
        assert np.array_equal(pickle.loads(pickle.dumps(result)), result), name


@pytest.mark.parametrize("numbers", [7, 1 << 15, 1 << 17, 1 << 22])
def test_results_can_be_resized(numbers: int) -> None:
    x = np.arange(np.prod(LARGE), dtype=np.float32).reshape(LARGE)
    for _ in range(8):  # NumPy's memory moves, and then does not begin where it did in its line
        result = cconv.max_pool2d(x, 1)
        result.resize((numbers,), refcheck=False)
        kept = min(numbers, x.size)
        assert np.array_equal(result[:kept], x.ravel()[:kept])
        assert not result[kept:].any()
        result.resize(LARGE, refcheck=False)
        assert np.array_equal(result.ravel()[:kept], x.ravel()[:kept])


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("allocator", ctypes.c_void_p * 5),
    )


def numpy_function(number: int) -> int:
    """The address that NumPy's C interface has at a number, of its __multiarray_api.h."""
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    multiarray = (np._core if hasattr(np, "_core") else np.core).multiarray
    table = address(multiarray._ARRAY_API, None)
    found = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[number]
    assert found is not None
    return found


def test_another_allocator_is_left_alone(core: ModuleType) -> None:
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(numpy_function(304))
    default = ctypes.cast(numpy_function(306), ctypes.POINTER(ctypes.py_object))[0]
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    mine = Handler.from_buffer_copy(
        ctypes.string_at(address(default, b"mem_handler"), ctypes.sizeof(Handler))
    )
    mine.name = b"mine"
    wrap = ctypes.pythonapi.PyCapsule_New
    wrap.restype = ctypes.py_object
    wrap.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    kind = b"mem_handler"
    multiarray = (np._core if hasattr(np, "_core") else np.core).multiarray
    before = set_handler(wrap(ctypes.addressof(mine), kind, None))
    try:
        for name, result in results_of(LARGE):
            assert multiarray.get_handler_name(owner(result)) == "mine", name
            del result
    finally:
        set_handler(before)
    x = np.ones(LARGE, np.float32)
    assert multiarray.get_handler_name(cconv.max_pool2d(x, 1)) == "cconv_lines"
    assert multiarray.get_handler_name(np.ones(LARGE)) == "default_allocator"
