"""Two filter banks in closed form, for the layers of the demo.

Their law: every weight follows from the formula in the docstring, so that a picture of what
they answer can be checked by eye.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["contrast_bank", "cosine_bank", "cosine_matrix"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def contrast_bank() -> tuple[F32, tuple[str, ...]]:
    r"""Make the filters of layer 1: edges, bars, spots and colour contrasts.

    A filter is a colour vector times a pattern, :math:`w_{c,y,x} = v_c \, p(y, x)`.
    With :math:`G = \exp(-r^2 / 2 \sigma^2)` and :math:`t = x \cos\theta + y \sin\theta`:

    - edge: :math:`t \, G`, the first derivative of a Gaussian; theta = 0, 45, 90, 135 degrees;
    - bar: :math:`\cos(2 \pi t / \lambda) \, G`, an even Gabor; the same angles, lambda = 4.5;
    - spot: :math:`(1 - r^2 / 2 \sigma^2) \, G`, a centre and its surround, at two scales;
    - blob: :math:`G`, which has contrast only in colour.

    Of all but the blobs the mean is taken out. The colour axes are orthonormal: luminance
    (1, 1, 1), red - green (1, -1, 0) and blue - yellow (-1, -1, 2), each divided by its length.

    Returns
    -------
    weight : ndarray of float32, shape (16, 3, 7, 7)
        Every filter has length 1 and sums to 0: an evenly grey area gives no answer.
    names : tuple of str
        What each filter responds to.
    """
    luminance = np.array([1.0, 1.0, 1.0]) / np.sqrt(3.0)
    red_green = np.array([1.0, -1.0, 0.0]) / np.sqrt(2.0)
    blue_yellow = np.array([-1.0, -1.0, 2.0]) / np.sqrt(6.0)
    y, x = np.mgrid[-3:4, -3:4].astype(np.float64)
    radius2 = x * x + y * y

    def gauss(sigma: float) -> F64:
        return np.asarray(np.exp(-radius2 / (2.0 * sigma * sigma)))

    def along(degrees: float) -> F64:
        theta = np.deg2rad(degrees)
        return np.asarray(x * np.cos(theta) + y * np.sin(theta))

    def flat(pattern: F64, sigma: float) -> F64:
        """Take the mean out, weighted by the envelope so that the rim stays near zero."""
        envelope = gauss(sigma)
        return np.asarray(pattern - envelope * (pattern.sum() / envelope.sum()))

    def edge(degrees: float, sigma: float) -> F64:
        return flat(along(degrees) * gauss(sigma), sigma)

    def bar(degrees: float, sigma: float, wavelength: float) -> F64:
        wave = np.cos(2.0 * np.pi * along(degrees) / wavelength)
        return flat(wave * gauss(sigma), sigma)

    def spot(sigma: float) -> F64:
        return flat((1.0 - radius2 / (2.0 * sigma * sigma)) * gauss(sigma), sigma)

    filters: list[tuple[str, F64, F64]] = []
    for degrees in (0, 45, 90, 135):
        filters.append((f"edge {degrees}°", luminance, edge(degrees, 1.0)))
    for degrees in (0, 45, 90, 135):
        filters.append((f"bar {degrees}°", luminance, bar(degrees, 1.6, 4.5)))
    filters.append(("fine spot", luminance, spot(0.8)))
    filters.append(("coarse spot", luminance, spot(1.5)))
    filters.append(("red - green", red_green, gauss(1.6)))
    filters.append(("blue - yellow", blue_yellow, gauss(1.6)))
    for degrees in (0, 90):
        filters.append((f"red/green {degrees}°", red_green, edge(degrees, 1.5)))
    for degrees in (0, 90):
        filters.append((f"blue/yellow {degrees}°", blue_yellow, edge(degrees, 1.5)))

    weight = np.stack([colour[:, None, None] * pattern for _, colour, pattern in filters])
    weight /= np.sqrt(np.square(weight).sum(axis=(1, 2, 3), keepdims=True))
    return weight.astype(np.float32), tuple(name for name, _, _ in filters)


def cosine_matrix(n: int) -> F64:
    r"""Make the orthonormal DCT-II matrix: row u is :math:`a_u \cos(\pi u (2 i + 1) / 2 n)`.

    Parameters
    ----------
    n : int
        Number of points.

    Returns
    -------
    ndarray of float64, shape (n, n)
        A matrix whose rows are orthonormal; row 0 is constant.
    """
    u, i = np.mgrid[0:n, 0:n].astype(np.float64)
    rows = np.sqrt(2.0 / n) * np.cos(np.pi * u * (2.0 * i + 1.0) / (2.0 * n))
    rows[0] /= np.sqrt(2.0)
    return np.asarray(rows)


def cosine_bank(channels: int = 16) -> tuple[F32, tuple[tuple[int, int, int], ...]]:
    r"""Make the filters of layer 2: cosine patterns in space times cosine mixes of channels.

    :math:`w_{(u,v,q),\,c,y,x} = D_{u,y} \, D_{v,x} \, C_{q,c}` with the orthonormal DCT-II
    matrices D (3 points) and C (over the channels): the four slowest patterns (u, v), namely
    mean, slope across, slope down and twist, of the eight slowest mixes q.

    Parameters
    ----------
    channels : int
        Number of input channels, at least 8.

    Returns
    -------
    weight : ndarray of float32, shape (32, channels, 3, 3)
        Orthonormal filters: as rows of a matrix, ``W @ W.T`` is the identity.
    labels : tuple of (u, v, q)
        The frequencies of each filter.
    """
    mix, pattern = cosine_matrix(channels), cosine_matrix(3)
    labels = tuple((u, v, q) for u in range(2) for v in range(2) for q in range(8))
    weight = [np.einsum("y,x,c->cyx", pattern[u], pattern[v], mix[q]) for u, v, q in labels]
    return np.stack(weight).astype(np.float32), labels
