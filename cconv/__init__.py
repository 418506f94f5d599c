"""Convolution and pooling of NumPy arrays at the speed of the machine."""

from cconv import ndimage, signal
from cconv._version import __version__
from cconv.config import cpu_features, get_include, show_config
from cconv.conv import (
    conv1d,
    conv2d,
    conv3d,
    depthwise_conv1d,
    depthwise_conv2d,
    depthwise_conv3d,
    separable_conv2d,
)
from cconv.conv_transpose import conv_transpose1d, conv_transpose2d, conv_transpose3d
from cconv.plan import ConvPlan
from cconv.pool import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    min_pool1d,
    min_pool2d,
    min_pool3d,
)
from cconv.pool_adaptive import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    global_avg_pool,
    global_lp_pool,
    global_max_pool,
)
from cconv.pool_lp import lp_pool1d, lp_pool2d, lp_pool3d
from cconv.shapes import (
    conv_output_shape,
    conv_transpose_output_shape,
    pool_output_shape,
    receptive_field,
)
from cconv.threads import get_num_threads, num_threads, release_workspace, set_num_threads
from cconv.unfold import fold, unfold
from cconv.unpool import max_unpool1d, max_unpool2d, max_unpool3d

__all__ = [
    "ConvPlan",
    "__version__",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_output_shape",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv_transpose_output_shape",
    "cpu_features",
    "depthwise_conv1d",
    "depthwise_conv2d",
    "depthwise_conv3d",
    "fold",
    "get_include",
    "get_num_threads",
    "global_avg_pool",
    "global_lp_pool",
    "global_max_pool",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "min_pool1d",
    "min_pool2d",
    "min_pool3d",
    "ndimage",
    "num_threads",
    "pool_output_shape",
    "receptive_field",
    "release_workspace",
    "separable_conv2d",
    "set_num_threads",
    "show_config",
    "signal",
    "unfold",
]
