# cython: language_level=3
"""Maxima over windows of 3 x 3, from Cython without the GIL."""

import numpy as np

cimport cconv
from libc.string cimport memset


cdef cconv.cconv_tensor plane(const unsigned char[:, :] pixels):
    """Any strides will do."""
    cdef cconv.cconv_tensor tensor
    tensor.struct_size = sizeof(tensor)
    tensor.dtype = cconv.CCONV_UINT8
    tensor.rank = 4
    tensor.data = <void *>&pixels[0, 0]
    tensor.shape = [1, 1, pixels.shape[0], pixels.shape[1], 0]
    tensor.stride = [0, 0, pixels.strides[0], pixels.strides[1], 0]
    return tensor


def brightest(const unsigned char[:, :] image, int threads=1):
    """The maximum of image[y - 1 : y + 2, x - 1 : x + 2] for every y and x."""
    result = np.empty((image.shape[0], image.shape[1]), np.uint8)
    if result.size == 0:
        return result
    cdef cconv.cconv_tensor source = plane(image), target = plane(result)
    cdef cconv.cconv_pool_params params
    cdef cconv.cconv_context context
    cdef cconv.cconv_status status
    cdef size_t nbytes = 0
    memset(&params, 0, sizeof(params))
    memset(&context, 0, sizeof(context))
    params.struct_size, context.struct_size = sizeof(params), sizeof(context)
    params.kind = cconv.CCONV_POOL_MAX
    for axis in range(2):
        params.kernel[axis] = 3
        params.stride[axis] = params.dilation[axis] = 1
        params.pad_before[axis] = params.pad_after[axis] = 1
    context.num_threads = threads

    status = cconv.cconv_pool_workspace(&params, &source, &target, NULL, &context, &nbytes, NULL)
    cdef unsigned char[::1] workspace = np.empty(nbytes + 1, np.uint8)
    if status == cconv.CCONV_OK:
        with nogil:
            status = cconv.cconv_pool(&params, &source, &target, NULL, &context, &workspace[0],
                                      nbytes, NULL)
    if status != cconv.CCONV_OK:
        raise ValueError(cconv.cconv_status_text(status).decode())
    return result
