"""Filters of images: a part of _core.pyx."""

cdef class Extreme(_OfWindows):
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
        self.remember(input, out, threads, axes, axes, max(kernel) < QUICK_KERNEL)
        self.measure(input, out)

    cdef int measure(self, input, out) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_tensor source, target
        return _check(cconv_filter_extreme_workspace(
            &self.params, _read_images(input, &self.images, &source),
            _read_images(out, &self.results, &target), &self.context, &self.workspace_nbytes,
            &error), &error)

    cdef cconv_status compute(self, const cconv_tensor *source, const cconv_tensor *target,
                              const cconv_tensor *places, void *workspace,
                              cconv_error *error) noexcept nogil:
        return cconv_filter_extreme(&self.params, source, target, &self.context, workspace,
                                    self.workspace_nbytes, error)


cdef class Separable(_OfWindows):
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
        self.remember(input, out, threads, axes, axes, max(kernel) < QUICK_KERNEL)
        self.measure(input, out)

    cdef int measure(self, input, out) except -1:
        cdef cconv_error error = _new_error()
        cdef cconv_tensor source, target
        return _check(cconv_filter_separable_workspace(
            &self.params, _read_images(input, &self.images, &source),
            _read_images(out, &self.results, &target), &self.context, &self.workspace_nbytes,
            &error), &error)

    cdef cconv_status compute(self, const cconv_tensor *source, const cconv_tensor *target,
                              const cconv_tensor *places, void *workspace,
                              cconv_error *error) noexcept nogil:
        return cconv_filter_separable(&self.params, source, target, &self.context, workspace,
                                      self.workspace_nbytes, error)
