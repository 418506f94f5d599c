"""Plans of convolutions and pools, and what tells one call from another: a part of _core.pyx."""

cdef struct _Images:
    int rank, out_rank, out_type
    int axes[MOST_AXES]
    cnp.npy_intp out_shape[MOST_AXES]


cdef struct _Tensors:
    cconv_tensor input, weight, bias, residual, out
    cconv_conv_tensors all


cdef struct _Header:
    int32_t dtype, rank
    cnp.npy_intp shape[MOST_AXES]
    cnp.npy_intp stride[MOST_AXES]


cdef class Plan:
    """A convolution that is checked and worked out; _core.pyi says of what."""

    cdef cconv_plan *plan
    cdef cconv_context context
    cdef readonly size_t workspace_nbytes
    cdef bint quick
    cdef _Images images

    def __cinit__(self, transposed, input, weight, bias, residual, out, stride, dilation, before,
                  after, padding, groups, activation, algorithm, threads, axes, keep):
        cdef cconv_conv_params params = _new_params(stride, dilation, before, after, padding,
                                                    groups, activation, algorithm)
        cdef cconv_error error = _new_error()
        cdef cconv_allocator allocator = _new_allocator()
        cdef _Tensors t
        _remember(&self.images, axes, out)
        self.read(&t, input, weight, bias, residual, out)
        if not keep:
            t.weight.data = t.bias.data = NULL
        self.context = _new_context(threads)
        create = cconv_conv_transpose_plan if transposed else cconv_conv_plan
        cdef cconv_status status
        with nogil:  # weights are copied and transformed
            status = create(&params, &t.all, &self.context, &allocator, &self.plan, &error)
        _check(status, &error)
        cdef cconv_plan_info info = _describe(self.plan)
        self.quick = info.operations < QUICK_OPERATIONS and info.workspace <= QUICK_BYTES
        self.workspace_nbytes = info.workspace

    def __dealloc__(self):
        cconv_plan_destroy(self.plan)

    cdef int read(self, _Tensors *t, input, weight, bias, residual, out) except -1:
        t.all.struct_size = sizeof(cconv_conv_tensors)
        t.all.input = _read_images(input, &self.images, &t.input)
        t.all.residual = _read_images(residual, &self.images, &t.residual)
        t.all.output = _read_images(out, &self.images, &t.out)
        t.all.weight = _read_or_null(weight, &t.weight)
        t.all.bias = _read_or_null(bias, &t.bias)
        return 0

    def run(self, input, weight, bias, residual, out):
        cdef cconv_error error = _new_error()
        cdef size_t nbytes = 0
        cdef _Tensors t
        self.read(&t, input, weight, bias, residual, out)
        _check(cconv_plan_workspace(self.plan, &t.all, &self.context, &nbytes, &error), &error)
        self.execute(&t.all, nbytes)

    def call(self, input, weight, bias, residual, out):
        cdef _Tensors t
        cdef int rank = self.images.out_rank
        if not (_is_plain(input) and cnp.PyArray_NDIM(input) == rank
                and (weight is None or _is_plain(weight)) and (bias is None or _is_plain(bias))
                and (residual is None
                     or _is_plain(residual) and cnp.PyArray_NDIM(residual) == rank)
                and (out is None or _is_plain(out) and cnp.PyArray_NDIM(out) == rank
                     and cnp.PyArray_ISWRITEABLE(out))):
            return None
        result = _new_result(&self.images) if out is None else out
        self.read(&t, input, weight, bias, residual, result)
        if not cconv_plan_matches(self.plan, &t.all) or (out is not None and _overlap(&t.all)):
            return None
        if self.quick:
            self.execute_quickly(&t.all)
        else:
            self.execute(&t.all, self.workspace_nbytes)
        return result

    cdef int execute(self, const cconv_conv_tensors *tensors, size_t nbytes) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_status status
        buffer = _take_buffer(nbytes)
        cdef void *workspace = cnp.PyArray_DATA(buffer)
        with nogil:
            status = cconv_plan_execute(self.plan, tensors, &self.context, workspace, nbytes,
                                        &error)
        return _finish(status, &error, buffer)

    cdef int execute_quickly(self, const cconv_conv_tensors *tensors) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_context context = self.context
        cdef char few[QUICK_BYTES]
        context.poll = NULL  # over before anybody could stop it; another batch may not be
        return _check(cconv_plan_execute(self.plan, tensors, &context, few, self.workspace_nbytes,
                                         &error), &error)

    def info(self):
        cdef cconv_plan_info info = _describe(self.plan)
        return {
            "algorithm": info.algorithm.decode(),
            "threads": info.threads,
            "operations": info.operations,
            "bytes": info.bytes_moved,
            "workspace": self.workspace_nbytes,
            "weights": info.weights,
            "blocks": tuple(info.blocks),
            "block": tuple(info.block),
            "chunks": info.chunks,
            "rows": info.rows,
            "phases": info.phases,
            "passes": info.passes,
        }


cdef class _OfWindows:
    """What pools and filters have alike; each kind of them says how it computes."""

    cdef cconv_context context
    cdef readonly size_t workspace_nbytes
    cdef bint quick
    cdef _Images images, results

    cdef int remember(self, input, out, threads, axes, out_axes, bint quick) except -1:
        _remember(&self.images, axes, out)
        _remember(&self.results, out_axes, out)
        self.context = _new_context(threads)
        self.quick = (quick and cnp.PyArray_SIZE(input) < QUICK_ELEMENTS
                      and cnp.PyArray_SIZE(out) < QUICK_ELEMENTS)
        if self.quick:
            self.context.poll = NULL  # over before anybody could stop it
        return 0

    cdef cconv_status compute(self, const cconv_tensor *source, const cconv_tensor *target,
                              const cconv_tensor *places, void *workspace,
                              cconv_error *error) noexcept nogil:
        return CCONV_UNSUPPORTED

    cdef int compute_quickly(self, const cconv_tensor *source, const cconv_tensor *target,
                             const cconv_tensor *places) except -1:
        cdef cconv_error error = _new_error()
        cdef char few[QUICK_BYTES]
        return _check(self.compute(source, target, places, few, &error), &error)

    def run(self, input, out, indices=None):
        cdef cconv_error error = _new_error()
        cdef cconv_tensor source, target, places
        cdef cconv_tensor *places_or_null = _read_images(indices, &self.results, &places)
        cdef cconv_status status
        _read_images(input, &self.images, &source)
        _read_images(out, &self.results, &target)
        if self.quick and self.workspace_nbytes <= QUICK_BYTES:
            self.compute_quickly(&source, &target, places_or_null)
            return
        buffer = _take_buffer(self.workspace_nbytes)
        cdef void *workspace = cnp.PyArray_DATA(buffer)
        with nogil:
            status = self.compute(&source, &target, places_or_null, workspace, &error)
        _finish(status, &error, buffer)

    def call(self, input, out):
        cdef cconv_tensor source, target
        result = _new_result(&self.images) if out is None else out
        if out is not None:
            _read_images(input, &self.images, &source)
            _read_images(out, &self.results, &target)
            if not cnp.PyArray_ISWRITEABLE(out) or cconv_tensors_overlap(&source, &target):
                return None
        self.run(input, result)
        return result


cdef class Pool(_OfWindows):
    """A pooling whose arguments are resolved; _core.pyi says of what."""

    cdef cconv_pool_params params

    def __cinit__(self, kind, input, out, indices, kernel, stride, dilation, before, after,
                  ceil_mode, count_include_pad, divisor, p, threads, axes):
        cdef cconv_error error = _new_error()
        cdef cconv_tensor source, target, places
        self.params.struct_size = sizeof(cconv_pool_params)
        self.params.kind = _POOLS[kind]
        self.params.ceil_mode = ceil_mode
        self.params.count_include_pad = count_include_pad
        self.params.p = p
        self.params.divisor = divisor
        _copy_window(kernel, stride, dilation, before, after, &self.params)
        self.remember(input, out, threads, axes, axes, max(kernel) < QUICK_KERNEL)
        _check(cconv_pool_workspace(
            &self.params, _read_images(input, &self.images, &source),
            _read_images(out, &self.results, &target),
            _read_images(indices, &self.results, &places), &self.context, &self.workspace_nbytes,
            &error), &error)

    cdef cconv_status compute(self, const cconv_tensor *source, const cconv_tensor *target,
                              const cconv_tensor *places, void *workspace,
                              cconv_error *error) noexcept nogil:
        return cconv_pool(&self.params, source, target, places, &self.context, workspace,
                          self.workspace_nbytes, error)


cdef class AdaptivePool(_OfWindows):
    """A pooling over windows that the output counts; _core.pyi says of what."""

    cdef cconv_adaptive_params params

    def __cinit__(self, kind, input, out, p, threads, axes, out_axes):
        self.params.struct_size = sizeof(cconv_adaptive_params)
        self.params.kind = _POOLS[kind]
        self.params.p = p
        self.remember(input, out, threads, axes, out_axes, True)

    cdef cconv_status compute(self, const cconv_tensor *source, const cconv_tensor *target,
                              const cconv_tensor *places, void *workspace,
                              cconv_error *error) noexcept nogil:
        return cconv_pool_adaptive(&self.params, source, target, places, &self.context, error)


def key(input, weight, bias, residual, out, literals, numbers):
    headers = (_header(input), _header(weight), _header(bias), _header(residual), _header(out))
    for header in headers:
        if header is None:
            return None
    if not (_are_literals(literals, False) and _are_literals(numbers, True)):
        return None
    return headers, literals, numbers


cdef _header(array):
    """What tells a plain array from others but for its data, in bytes; None for any other."""
    cdef _Header header
    if array is None:
        return b""
    if not _is_plain(array):
        return None
    header.dtype, header.rank = _dtype(array), cnp.PyArray_NDIM(array)
    for axis in range(MOST_AXES):
        header.shape[axis] = cnp.PyArray_DIM(array, axis) if axis < header.rank else 0
        header.stride[axis] = cnp.PyArray_STRIDE(array, axis) if axis < header.rank else 0
    return (<char *>&header)[:sizeof(header)]


cdef bint _are_literals(tuple values, floats):
    """Are all of them an int, a str, None, a float if these may be, or a tuple of such?

    Equal ones of the same place then mean the same; True is no int here, nor 1.0.
    """
    for value in values:
        kind = type(value)
        if kind is tuple:
            if not _are_literals(value, floats):
                return False
        elif kind is float:
            if not floats or str(value) == "-0.0":  # which equals 0.0
                return False
        elif not (kind is int or kind is str or value is None):
            return False
    return True


cdef bint _overlap(const cconv_conv_tensors *t) noexcept:
    """May the output share memory with another tensor?"""
    return (cconv_tensors_overlap(t.output, t.input) or cconv_tensors_overlap(t.output, t.weight)
            or cconv_tensors_overlap(t.output, t.bias)
            or cconv_tensors_overlap(t.output, t.residual))


cdef cconv_conv_params _new_params(stride, dilation, before, after, padding, groups, activation,
                                   algorithm):
    cdef cconv_conv_params params
    params.struct_size = sizeof(cconv_conv_params)
    params.activation = _ACTIVATIONS[activation[0]]
    params.activation_a, params.activation_b = activation[1], activation[2]
    params.padding_mode = _PADDING_MODES[padding[0]]
    params.padding_value = padding[1]
    params.algorithm = _ALGORITHMS[algorithm]
    params.groups = groups
    _copy(stride, params.stride)
    _copy(dilation, params.dilation)
    _copy(before, params.pad_before)
    _copy(after, params.pad_after)
    return params


cdef cconv_allocator _new_allocator() noexcept:
    cdef cconv_allocator allocator
    allocator.struct_size = sizeof(cconv_allocator)
    allocator.allocate = _allocate
    allocator.release = _release
    allocator.host = NULL
    return allocator


cdef void *_allocate(void *host, size_t nbytes) noexcept nogil:
    return PyMem_RawMalloc(nbytes)


cdef void _release(void *host, void *memory, size_t nbytes) noexcept nogil:
    PyMem_RawFree(memory)


cdef cconv_plan_info _describe(const cconv_plan *plan) except *:
    cdef cconv_plan_info info
    info.struct_size = sizeof(cconv_plan_info)
    _check(cconv_plan_describe(plan, &info), NULL)
    return info


cdef int _copy_window(kernel, stride, dilation, before, after, cconv_pool_params *params) except -1:
    _copy(kernel, params.kernel)
    _copy(stride, params.stride)
    _copy(dilation, params.dilation)
    _copy(before, params.pad_before)
    return _copy(after, params.pad_after)


cdef int _remember(_Images *images, tuple axes, cnp.ndarray out) except -1:
    """Keep which axes images have, and what to make for a result."""
    images.rank = len(axes)
    for axis, source in enumerate(axes[:MOST_AXES]):
        images.axes[axis] = source
    images.out_type = cnp.PyArray_TYPE(out)
    images.out_rank = min(cnp.PyArray_NDIM(out), MOST_AXES)
    for axis in range(images.out_rank):
        images.out_shape[axis] = cnp.PyArray_DIM(out, axis)
    return 0


cdef _new_result(_Images *images):
    return _empty(images.out_rank, images.out_shape, images.out_type)


cdef cconv_tensor *_read_or_null(array, cconv_tensor *tensor) except? NULL:
    if array is None:
        return NULL
    _read(array, tensor)
    return tensor


cdef cconv_tensor *_read_images(array, const _Images *images, cconv_tensor *tensor) except? NULL:
    """Describe images (n, c, *spatial); the axes say which of the array's each is, -1 none."""
    if array is None:
        return NULL
    cdef cnp.npy_intp *shape = cnp.PyArray_DIMS(array)
    cdef cnp.npy_intp *strides = cnp.PyArray_STRIDES(array)
    tensor.struct_size = sizeof(cconv_tensor)
    tensor.dtype = _dtype(array)
    tensor.rank = images.rank
    tensor.data = cnp.PyArray_DATA(array)
    for axis in range(images.rank):
        tensor.shape[axis] = shape[images.axes[axis]] if images.axes[axis] >= 0 else 1
        tensor.stride[axis] = strides[images.axes[axis]] if images.axes[axis] >= 0 else 0
    return tensor
