"""What a workload is: one call with its shapes, its operations and the least bytes it moves.

The law of this file: integers only. A workload knows no dtype, no library and no array, so the
same row is timed in every dtype and by every library.
"""

from dataclasses import dataclass
from math import prod

__all__ = ["Conv", "ConvTranspose", "Filter", "Pool", "Workload"]

Ints = tuple[int, ...]


def _text(sizes: Ints) -> str:
    """Write 3x3 for (3, 3), and 1x7 for (1, 7)."""
    return "x".join(map(str, sizes))


def _short(sizes: Ints) -> str:
    """Write 2 for (2, 2), and 2x1 for (2, 1)."""
    return str(sizes[0]) if len(set(sizes)) == 1 else _text(sizes)


@dataclass(frozen=True)
class Workload:
    """What all workloads have.

    Attributes
    ----------
    family : str
        Where the row comes from, such as ``'resnet50'``.
    input_shape : tuple of int
        Batch, channels and the spatial axes; of a filter the spatial axes alone.
    """

    family: str
    input_shape: Ints

    @property
    def name(self) -> str:
        """The family, a slash and everything that tells the row from others of its family."""
        raise NotImplementedError

    @property
    def operator(self) -> str:
        """What is computed: conv, conv_transpose, max_pool, dense and so on."""
        raise NotImplementedError

    @property
    def output_shape(self) -> Ints:
        """Shape of the result."""
        raise NotImplementedError

    @property
    def weight_size(self) -> int:
        """How many weights there are."""
        return 0

    @property
    def terms(self) -> int:
        """How many products or elements one output element is made of."""
        raise NotImplementedError

    @property
    def flops(self) -> int | None:
        """Two for a multiply-add of the plain sum, taps on the padding counted; None for pools."""
        return None

    def least_bytes(self, itemsize: int) -> int:
        """Bytes of input, weights and output, once each."""
        return itemsize * (prod(self.input_shape) + self.weight_size + prod(self.output_shape))


@dataclass(frozen=True)
class _Windows(Workload):
    """Windows over the spatial axes; every tuple has one entry an axis."""

    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints

    @property
    def spatial(self) -> Ints:
        """The spatial axes of the input."""
        return self.input_shape[2:]

    def _windows(self) -> Ints:
        axes = zip(self.spatial, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes)

    def _marks(self) -> str:
        """Write what differs from stride 1, dilation 1 and a padding that keeps the size."""
        centred = tuple(d * (k - 1) // 2 for k, d in zip(self.kernel, self.dilation, strict=True))
        marks = _text(self.kernel)
        if set(self.stride) != {1}:
            marks += f"s{_short(self.stride)}"
        if set(self.dilation) != {1}:
            marks += f"d{_short(self.dilation)}"
        if self.padding != centred:
            marks += f"p{_short(self.padding)}"
        return marks

    def _place(self) -> str:
        batch = f"-n{self.input_shape[0]}" if self.input_shape[0] != 1 else ""
        return f"at{_short(self.spatial)}{batch}"


@dataclass(frozen=True)
class Conv(_Windows):
    """A convolution without bias.

    Attributes
    ----------
    channels : int
        Of the output.
    groups : int
        As in `cconv.conv2d`.
    """

    channels: int
    groups: int = 1

    @property
    def name(self) -> str:
        """Kernel, stride, dilation, odd padding, groups, channels in and out, place."""
        groups = f"g{self.groups}" if self.groups != 1 else ""
        channels = f"{self.input_shape[1]}-{self.channels}"
        return f"{self.family}/conv{self._marks()}{groups}-{channels}-{self._place()}"

    @property
    def operator(self) -> str:
        """Always conv."""
        return "conv"

    @property
    def weight_shape(self) -> Ints:
        """Output channels, input channels of a group, kernel."""
        return (self.channels, self.input_shape[1] // self.groups, *self.kernel)

    @property
    def output_shape(self) -> Ints:
        """Batch, output channels, windows."""
        return (self.input_shape[0], self.channels, *self._windows())

    @property
    def weight_size(self) -> int:
        """Elements of the weight."""
        return prod(self.weight_shape)

    @property
    def terms(self) -> int:
        """Products of one output element."""
        return prod(self.weight_shape[1:])

    @property
    def flops(self) -> int:
        """Two for each product."""
        return 2 * self.terms * prod(self.output_shape)


@dataclass(frozen=True)
class ConvTranspose(_Windows):
    """A transposed convolution without bias.

    Attributes
    ----------
    channels : int
        Of the output.
    output_padding : tuple of int
        One an axis.
    groups : int
        As in `cconv.conv_transpose2d`.
    """

    channels: int
    output_padding: Ints
    groups: int = 1

    @property
    def name(self) -> str:
        """Kernel, stride, padding, channels in and out, place."""
        groups = f"g{self.groups}" if self.groups != 1 else ""
        grown = f"o{_short(self.output_padding)}" if any(self.output_padding) else ""
        channels = f"{self.input_shape[1]}-{self.channels}"
        return f"{self.family}/up{self._marks()}{grown}{groups}-{channels}-{self._place()}"

    @property
    def operator(self) -> str:
        """Always conv_transpose."""
        return "conv_transpose"

    @property
    def weight_shape(self) -> Ints:
        """Input channels, output channels of a group, kernel."""
        return (self.input_shape[1], self.channels // self.groups, *self.kernel)

    @property
    def output_shape(self) -> Ints:
        """Batch, output channels, (in - 1) s - 2 p + d (k - 1) + output_padding + 1."""
        axes = zip(
            self.spatial,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.output_padding,
            strict=True,
        )
        sizes = ((i - 1) * s - 2 * p + d * (k - 1) + o + 1 for i, k, s, p, d, o in axes)
        return (self.input_shape[0], self.channels, *sizes)

    @property
    def weight_size(self) -> int:
        """Elements of the weight."""
        return prod(self.weight_shape)

    @property
    def terms(self) -> int:
        """Most products an output element can have."""
        taps = prod(-(-k // s) for k, s in zip(self.kernel, self.stride, strict=True))
        return taps * self.input_shape[1] // self.groups

    @property
    def flops(self) -> int:
        """Two for each input element and weight it meets, those that fall on the pads counted."""
        return 2 * prod(self.input_shape) * prod(self.weight_shape[1:])


@dataclass(frozen=True)
class Pool(_Windows):
    """A pool; an average counts its padding.

    Attributes
    ----------
    kind : {'max', 'avg', 'global_max', 'global_avg'}
        A global pool has the kernel of its input's size.
    """

    kind: str

    @property
    def name(self) -> str:
        """Kind, kernel, stride, padding, channels, place."""
        marks = "" if self.kind.startswith("global") else self._marks()
        return f"{self.family}/{self.kind}{marks}-{self.input_shape[1]}-{self._place()}"

    @property
    def operator(self) -> str:
        """The kind with _pool behind it."""
        return f"{self.kind}_pool"

    @property
    def output_shape(self) -> Ints:
        """Batch, channels, windows."""
        return (*self.input_shape[:2], *self._windows())

    @property
    def terms(self) -> int:
        """Elements of a window."""
        return prod(self.kernel)


@dataclass(frozen=True)
class Filter(Workload):
    """A filter of one plain signal or image, zeros outside (for max: nothing), same size out.

    Attributes
    ----------
    kind : {'dense', 'gaussian', 'box', 'max'}
        Dense has any weights, gaussian those of `scipy.ndimage.gaussian_filter`, which separate.
    width : int
        Odd; the same on all axes.
    """

    kind: str
    width: int

    @property
    def name(self) -> str:
        """Kind, kernel, place."""
        kernel = _text(self.kernel)
        return f"{self.family}/{self.kind}{kernel}-at{_short(self.input_shape)}"

    @property
    def operator(self) -> str:
        """The kind with _filter behind it."""
        return f"{self.kind}_filter"

    @property
    def kernel(self) -> Ints:
        """The width on each axis."""
        return (self.width,) * len(self.input_shape)

    @property
    def sigma(self) -> float:
        """Of a gaussian: the half width is three of it."""
        return max(self.width // 2, 1) / 3.0

    @property
    def output_shape(self) -> Ints:
        """The input's."""
        return self.input_shape

    @property
    def weight_size(self) -> int:
        """Elements of the kernel; of a gaussian, one axis after the other."""
        return {"dense": prod(self.kernel), "gaussian": sum(self.kernel)}.get(self.kind, 0)

    @property
    def terms(self) -> int:
        """Elements of a window."""
        return prod(self.kernel)

    @property
    def flops(self) -> int | None:
        """Two for each weight and element; None for box and max, which nobody has to multiply."""
        return 2 * self.weight_size * prod(self.input_shape) if self.weight_size else None
