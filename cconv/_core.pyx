# cython: language_level=3, freethreading_compatible=True
"""The compiled core: array headers to cconv_tensor, a call of C, a status to an exception.

Law: this file translates and decides nothing. The arguments are described in _core.pyi.
"""

import itertools
import os
import threading

import numpy as np

cimport numpy as cnp
from cconv cimport *
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc

cnp.import_array()


cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil
    int PyErr_CheckSignals()  # declared anew: its exception is not to be looked for at once


cdef extern from "results.h":
    object PyDataMem_GetHandler()
    object PyDataMem_SetHandler(object handler)
    object cconv_line_handler()
    bint cconv_begins_with_line(object handler, int rank, const cnp.npy_intp *shape, int type)


cdef dict _DTYPE_NAMES = {
    "float32": CCONV_FLOAT32,
    "float64": CCONV_FLOAT64,
    "float16": CCONV_FLOAT16,
    "int64": CCONV_INT64,
    "int32": CCONV_INT32,
    "int16": CCONV_INT16,
    "int8": CCONV_INT8,
    "uint64": CCONV_UINT64,
    "uint32": CCONV_UINT32,
    "uint16": CCONV_UINT16,
    "uint8": CCONV_UINT8,
    "bool": CCONV_BOOL,
}
# By NumPy's number: of its integers two, such as long and long long, may share a name. 0: another.
cdef int32_t _DTYPES[24]
_DTYPES[:] = [0 for _ in range(24)]
for _code in "?bBhHiIlLqQefd":
    _DTYPES[np.dtype(_code).num] = _DTYPE_NAMES[np.dtype(_code).name]
cdef dict _POOLS = {
    "max": CCONV_POOL_MAX,
    "avg": CCONV_POOL_AVERAGE,
    "min": CCONV_POOL_MIN,
    "lp": CCONV_POOL_LP,
}
cdef dict _ACTIVATIONS = {
    None: CCONV_ACTIVATION_NONE,
    "relu": CCONV_ACTIVATION_RELU,
    "leaky_relu": CCONV_ACTIVATION_LEAKY_RELU,
    "elu": CCONV_ACTIVATION_ELU,
    "gelu_erf": CCONV_ACTIVATION_GELU_ERF,
    "gelu_tanh": CCONV_ACTIVATION_GELU_TANH,
    "silu": CCONV_ACTIVATION_SILU,
    "hard_swish": CCONV_ACTIVATION_HARD_SWISH,
    "hard_sigmoid": CCONV_ACTIVATION_HARD_SIGMOID,
    "sigmoid": CCONV_ACTIVATION_SIGMOID,
    "tanh": CCONV_ACTIVATION_TANH,
    "clip": CCONV_ACTIVATION_CLIP,
}
cdef dict _PADDING_MODES = {
    "constant": CCONV_PADDING_CONSTANT,
    "reflect": CCONV_PADDING_REFLECT,
    "symmetric": CCONV_PADDING_SYMMETRIC,
    "replicate": CCONV_PADDING_REPLICATE,
    "circular": CCONV_PADDING_CIRCULAR,
}
cdef dict _EXCEPTIONS = {
    CCONV_BAD_ARGUMENT: ValueError,
    CCONV_BAD_SHAPE: ValueError,
    CCONV_UNSUPPORTED: ValueError,
    CCONV_BAD_DTYPE: TypeError,
    CCONV_TOO_LARGE: OverflowError,
    CCONV_NO_MEMORY: MemoryError,
}
cdef dict _ALGORITHMS = {
    "auto": CCONV_ALGORITHM_AUTO,
    "direct": CCONV_ALGORITHM_DIRECT,
    "winograd": CCONV_ALGORITHM_WINOGRAD,
    "bf16x3": CCONV_ALGORITHM_BF16X3,
    "int8x3": CCONV_ALGORITHM_INT8X3,
}
cdef tuple _AXES = (0, 1, 2, 3, 4)
# Below it a call takes some microseconds, and to hand the interpreter to another thread as much.
cdef double QUICK_OPERATIONS = 1e6
cdef int QUICK_ELEMENTS = 4096
cdef int QUICK_KERNEL = 16
cdef enum:
    QUICK_BYTES = 1 << 14  # of scratch on the stack, for such calls
    MOST_AXES = 5
cdef object _local = threading.local()
cdef object _tell_of_fork = None
cdef object _lines = cconv_line_handler()
cdef unsigned long _main_thread = 0


include "_plan.pxi"
include "_filter.pxi"
include "_capsule.pxi"


cdef class _Unfold:
    """One unfold or fold in C's terms; keeps the arrays alive."""

    cdef cconv_unfold_params params
    cdef cconv_tensor input, out
    cdef cconv_context context
    cdef tuple arrays
    cdef bint fold

    def __cinit__(self, fold, input, out, kernel, stride, dilation, before, after, threads):
        self.fold = fold
        self.arrays = (input, out)
        _read(input, &self.input)
        _read(out, &self.out)
        self.params.struct_size = sizeof(cconv_unfold_params)
        _copy(kernel, self.params.kernel)
        _copy(stride, self.params.stride)
        _copy(dilation, self.params.dilation)
        _copy(before, self.params.pad_before)
        _copy(after, self.params.pad_after)
        self.context = _new_context(threads)

    cdef size_t workspace_nbytes(self) except? 0:
        cdef cconv_error error = _new_error()
        cdef size_t nbytes = 0
        query = cconv_fold_workspace if self.fold else cconv_unfold_workspace
        _check(query(&self.params, &self.input, &self.out, &self.context, &nbytes, &error), &error)
        return nbytes

    cdef int run(self) except -1:
        cdef cconv_error error = _new_error()
        cdef size_t nbytes = self.workspace_nbytes()
        cdef cconv_status status
        buffer = _take_buffer(nbytes)
        cdef void *workspace = cnp.PyArray_DATA(buffer)
        execute = cconv_fold if self.fold else cconv_unfold
        with nogil:
            status = execute(&self.params, &self.input, &self.out, &self.context, workspace,
                             nbytes, &error)
        return _finish(status, &error, buffer)


def max_unpool(input, indices, out, threads):
    cdef cconv_tensor source, target, places
    cdef cconv_context context = _new_context(threads)
    cdef cconv_error error = _new_error()
    cdef cconv_status status
    _read(input, &source)
    _read(indices, &places)
    _read(out, &target)
    with nogil:
        status = cconv_max_unpool(&source, &places, &target, &context, &error)
    _check(status, &error)


def unfold(input, out, kernel, stride, dilation, before, after, threads):
    (<_Unfold>_Unfold(False, input, out, kernel, stride, dilation, before, after, threads)).run()


def unfold_workspace_nbytes(input, out, kernel, stride, dilation, before, after, threads):
    return (<_Unfold>_Unfold(False, input, out, kernel, stride, dilation, before, after,
                             threads)).workspace_nbytes()


def fold(input, out, kernel, stride, dilation, before, after, threads):
    (<_Unfold>_Unfold(True, input, out, kernel, stride, dilation, before, after, threads)).run()


def fold_workspace_nbytes(input, out, kernel, stride, dilation, before, after, threads):
    return (<_Unfold>_Unfold(True, input, out, kernel, stride, dilation, before, after,
                             threads)).workspace_nbytes()


def release_workspace():
    _local.__dict__.clear()


def max_threads():
    return cconv_max_threads()


def forked():
    return cconv_forked() > 0


def set_forked():
    cconv_set_forked()


def tell_when_held_back(function):
    """Have it called once, after a call in a forked child that was to run on several threads."""
    global _tell_of_fork
    _tell_of_fork = function


def cpu_features():
    return tuple(_names(cconv_cpu_feature))


def isa():
    return cconv_isa().decode()


def isa_names():
    return tuple(_names(cconv_isa_name))


def build_info():
    return {
        "version": cconv_version().decode(),
        "compiler": cconv_compiler().decode(),
        "openmp": cconv_openmp_version(),
        "cache_l2": cconv_cache_l2(),
    }


def fma_peak(dtype_name, threads, iterations):
    cdef cconv_context context = _new_context(threads)
    cdef cconv_status status
    cdef int64_t operations = 0
    cdef int dtype = _DTYPE_NAMES[dtype_name]
    cdef int64_t count = iterations
    with nogil:
        status = cconv_fma_peak(dtype, count, &context, &operations)
    _check(status, NULL)
    return operations


cdef int _read(cnp.ndarray array, cconv_tensor *tensor) except -1:
    """Describe the array; C says what is wrong with it."""
    tensor.struct_size = sizeof(cconv_tensor)
    tensor.dtype = _dtype(array)
    tensor.rank = cnp.PyArray_NDIM(array)
    tensor.data = cnp.PyArray_DATA(array)
    for axis in range(min(tensor.rank, CCONV_MAX_RANK)):
        tensor.shape[axis] = cnp.PyArray_DIM(array, axis)
        tensor.stride[axis] = cnp.PyArray_STRIDE(array, axis)
    return 0


cdef int32_t _dtype(cnp.ndarray array) noexcept:
    """C's dtype of an array, 0 for one that C does not know."""
    cdef int number = cnp.PyArray_TYPE(array)
    return _DTYPES[number] if number < 24 else 0


cdef bint _is_plain(array):
    """Is it an array of a dtype that C knows, in this byte order and aligned, and no subclass?"""
    return (cnp.PyArray_CheckExact(array) and _dtype(array) != 0
            and cnp.PyArray_NDIM(array) <= MOST_AXES and cnp.PyArray_ISBEHAVED_RO(array))


cdef int _copy(tuple values, int64_t *target) except -1:
    for axis, value in enumerate(values[:3]):
        target[axis] = value
    return 0


cdef _take_buffer(size_t nbytes):
    """This thread's scratch, grown to the most it was asked for; to be put back after the call.

    It is taken away meanwhile, for a signal's handler may call cconv while a call is asked to stop.
    """
    buffer = _local.__dict__.pop("buffer", None)
    if buffer is None or <size_t>cnp.PyArray_NBYTES(buffer) < nbytes:
        buffer = np.empty(nbytes, np.uint8)
    return buffer


def empty(shape, dtype):
    """Give a new array; a large one, of no more axes than images have, begins with a line."""
    cdef cnp.npy_intp sizes[MOST_AXES]
    if len(shape) > MOST_AXES:
        return np.empty(shape, dtype)
    for axis, size in enumerate(shape):
        sizes[axis] = size
    return _empty(len(shape), sizes, dtype.num)


cdef _empty(int rank, cnp.npy_intp *shape, int type):
    handler = PyDataMem_GetHandler()
    if not cconv_begins_with_line(handler, rank, shape, type):
        return cnp.PyArray_EMPTY(rank, shape, type, 0)
    PyDataMem_SetHandler(_lines)
    try:
        return cnp.PyArray_EMPTY(rank, shape, type, 0)
    finally:
        PyDataMem_SetHandler(handler)


cdef cconv_context _new_context(threads):
    cdef cconv_context context
    context.struct_size = sizeof(cconv_context)
    context.num_threads = threads
    context.parallel_for = NULL
    context.poll = _poll
    context.host = NULL
    return context


cdef int _poll(void *host) noexcept nogil:
    """Has a signal's handler raised an exception, such as KeyboardInterrupt? It stays raised.

    Handlers run in the main thread alone. Another one need not wait for the interpreter, and must
    not where that ends: it would be ended here, in the middle of the call.
    """
    if PyThread_get_thread_ident() != _main_thread:
        return 0
    with gil:
        return PyErr_CheckSignals()


cdef cconv_error _new_error() noexcept:
    cdef cconv_error error
    error.struct_size = sizeof(cconv_error)
    error.argument = NULL
    error.axis = -1
    error.given = error.expected = 0
    return error


cdef int _check(cconv_status status, cconv_error *error) except -1:
    if status == CCONV_OK:
        return 0 if cconv_forked() < 2 or _tell_of_fork is None else _held_back()
    if status == CCONV_CANCELLED:
        return -1  # with what _poll left raised
    sentence = cconv_status_text(status).decode()
    if error == NULL or error.argument == NULL:
        raise _EXCEPTIONS.get(status, RuntimeError)(sentence)
    raise _EXCEPTIONS.get(status, RuntimeError)(
        f"{sentence} ({error.argument.decode()}, axis {error.axis}: given {error.given}, "
        f"expected {error.expected})")


cdef int _finish(cconv_status status, cconv_error *error, buffer) except -1:
    """Check, and put the scratch back: after what was raised is taken up, for Python runs here."""
    try:
        return _check(status, error)
    finally:
        _local.buffer = buffer


cdef int _held_back() except -1:
    global _tell_of_fork
    tell, _tell_of_fork = _tell_of_fork, None
    if tell is not None:  # another thread may have been here first
        tell()
    return 0


ctypedef const char *(*_name_at)(int) noexcept nogil


cdef list _names(_name_at name_at):
    """The names up to the first NULL."""
    cdef const char *name
    names = []
    for index in itertools.count():
        name = name_at(index)
        if name == NULL:
            return names
        names.append(name.decode())


def _remember_main_thread():
    """In a forked child it is the thread that forked."""
    global _main_thread
    _main_thread = threading.main_thread().ident


_remember_main_thread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember_main_thread)
if cconv_isa() == NULL:
    raise ValueError(f"the environment variable CCONV_ISA is {os.environ.get('CCONV_ISA')!r}; "
                     f"expected one of {', '.join(isa_names())}")
