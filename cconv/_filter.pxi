"""Filters of images: a part of _core.pyx."""

cdef class _Filter:
    """What filters have alike: arrays to tensors, scratch, a call."""

    cdef cconv_context context
    cdef readonly size_t workspace_nbytes
    cdef bint quick
    cdef _Images images

    cdef cconv_status query(self, const cconv_tensor *input, const cconv_tensor *out,
                            size_t *nbytes, cconv_error *error) noexcept nogil:
        return CCONV_OK

    cdef cconv_status execute(self, const cconv_tensor *input, const cconv_tensor *out,
                              void *workspace, cconv_error *error) noexcept nogil:
        return CCONV_OK

    cdef int prepare(self, input, out, kernel, threads, axes) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_tensor source, target
        self.context = _new_context(threads)
        _remember(&self.images, axes, out)
        self.quick = cnp.PyArray_SIZE(input) < QUICK_ELEMENTS and max(kernel) < QUICK_KERNEL
        if self.quick:
            self.context.poll = NULL  # over before anybody could stop it
        _read_images(input, &self.images, &source)
        _read_images(out, &self.images, &target)
        return _check(self.query(&source, &target, &self.workspace_nbytes, &error), &error)

    cdef int compute(self, const cconv_tensor *source, const cconv_tensor *target) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_status status
        buffer = _take_buffer(self.workspace_nbytes)
        cdef void *workspace = cnp.PyArray_DATA(buffer)
        if self.quick:
            status = self.execute(source, target, workspace, &error)
        else:
            with nogil:
                status = self.execute(source, target, workspace, &error)
        return _finish(status, &error, buffer)

    def run(self, input, out):
        cdef cconv_tensor source, target
        _read_images(input, &self.images, &source)
        _read_images(out, &self.images, &target)
        self.compute(&source, &target)

    def call(self, input, out):
        cdef cconv_tensor source, target
        result = _new_result(&self.images) if out is None else out
        _read_images(input, &self.images, &source)
        _read_images(result, &self.images, &target)
        if out is not None and (not cnp.PyArray_ISWRITEABLE(out)
                                or cconv_tensors_overlap(&source, &target)):
            return None
        self.compute(&source, &target)
        return result


cdef class Extreme(_Filter):
    """A filter over a footprint; _core.pyi says which."""

    cdef cconv_filter_params params
    cdef object footprint

    def __cinit__(self, kind, input, out, footprint, kernel, before, after, padding, threads, axes):
        modes, value = padding
        self.footprint = footprint
        self.params.struct_size = sizeof(cconv_filter_params)
        self.params.kind = _POOLS[kind]
        self.params.footprint = NULL
        if footprint is not None:
            self.params.footprint = <const uint8_t *>cnp.PyArray_DATA(footprint)
        self.params.padding_value = value
        for axis, mode in enumerate(modes[:3]):
            self.params.padding_mode[axis] = _PADDING_MODES[mode]
        _copy(kernel, self.params.kernel)
        _copy(before, self.params.pad_before)
        _copy(after, self.params.pad_after)
        self.prepare(input, out, kernel, threads, axes)

    cdef cconv_status query(self, const cconv_tensor *input, const cconv_tensor *out,
                            size_t *nbytes, cconv_error *error) noexcept nogil:
        return cconv_filter_extreme_workspace(&self.params, input, out, &self.context, nbytes,
                                              error)

    cdef cconv_status execute(self, const cconv_tensor *input, const cconv_tensor *out,
                              void *workspace, cconv_error *error) noexcept nogil:
        return cconv_filter_extreme(&self.params, input, out, &self.context, workspace,
                                    self.workspace_nbytes, error)


cdef class Separable(_Filter):
    """Weighted sums or averages along two axes; _core.pyi says which."""

    cdef cconv_separable_params params
    cdef tuple weights

    def __cinit__(self, input, out, weights, kernel, before, padding, threads, axes):
        modes, value = padding
        self.weights = weights
        self.params.struct_size = sizeof(cconv_separable_params)
        self.params.padding_value = value
        for axis in range(2):
            self.params.padding_mode[axis] = _PADDING_MODES[modes[axis]]
            self.params.weights[axis] = NULL
            if weights[axis] is not None:
                self.params.weights[axis] = cnp.PyArray_DATA(weights[axis])
        _copy(kernel, self.params.kernel)
        _copy(before, self.params.pad_before)
        self.prepare(input, out, kernel, threads, axes)

    cdef cconv_status query(self, const cconv_tensor *input, const cconv_tensor *out,
                            size_t *nbytes, cconv_error *error) noexcept nogil:
        return cconv_filter_separable_workspace(&self.params, input, out, &self.context, nbytes,
                                                error)

    cdef cconv_status execute(self, const cconv_tensor *input, const cconv_tensor *out,
                              void *workspace, cconv_error *error) noexcept nogil:
        return cconv_filter_separable(&self.params, input, out, &self.context, workspace,
                                      self.workspace_nbytes, error)
