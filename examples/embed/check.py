"""Draw a picture for the examples, and compare what they make of it with what Python makes.

python check.py picture portrait.pgm
python check.py blur portrait.pgm blurred.pfm      # or sharpen, shrink
python check.py brightest portrait.pgm             # or enlarge
"""

import sys
from importlib.resources import files

import numpy as np

import cconv


def draw(path):
    """Write the portrait that cconv brings, in grey."""
    with np.load(files("cconv") / "data" / "astronaut.npz") as archive:
        (image,) = archive.values()
    grey = image.astype(np.float32).mean(axis=-1).astype(np.uint8)
    with open(path, "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % grey.shape[::-1] + grey.tobytes())


def read_pgm(path):
    with open(path, "rb") as file:
        _, size, _ = (file.readline() for _ in range(3))
        pixels = file.read()
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def read_pfm(path):
    with open(path, "rb") as file:
        _, size, scale = (file.readline() for _ in range(3))
        pixels = file.read()
    width, height = map(int, size.split())
    dtype = "<f4" if float(scale) < 0 else ">f4"
    return np.frombuffer(pixels, dtype).reshape(height, width)[::-1]


def blur(image):
    taps = np.arange(25)
    weight = np.float32(1) / (5 + taps % 5 + taps // 5).astype(np.float32)
    weight = weight.reshape(1, 1, 5, 5)
    return cconv.conv2d(image[None], weight, padding=2, padding_mode="reflect")[0]


def sharpen(image):
    corner, edge, middle = -0.1, -0.2, 2.2
    weight = [[corner, edge, corner], [edge, middle, edge], [corner, edge, corner]]
    weight = np.array([[weight]], np.float32)
    clip = ("clip", 0, 255)
    return cconv.conv2d(image[None], weight, padding=1, padding_mode="replicate", activation=clip)[
        0
    ]


def shrink(image):
    return cconv.avg_pool2d(image[None], 2)[0].astype(np.float32)


def brightest(image):
    return cconv.max_pool2d(image[None], 3, 1, 1)[0]


def enlarge(image):
    return cconv.conv_transpose2d(image[None], np.ones((1, 1, 2, 2), np.float32), stride=2)[0]


def made_by_module(what, image):
    """What the extension modules make, which give arrays and no files."""
    if what == "brightest":
        from peaks import brightest

        return brightest(image)
    from enlarge import enlarge

    result = np.empty([2 * size for size in image.shape], np.float32)
    enlarge(image.astype(np.float32), result)
    return result


if __name__ == "__main__":
    what, picture, *result = sys.argv[1:]
    if what == "picture":
        draw(picture)
        sys.exit()
    image = read_pgm(picture)
    expected = globals()[what](image)
    got = read_pfm(*result) if result else made_by_module(what, image)
    if got.shape != expected.shape or got.tobytes() != expected.tobytes():
        sys.exit(f"{what}: not what Python makes of it")
    print(f"{what}: the same bits as in Python")
