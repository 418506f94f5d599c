"""The demo: its filter banks are what they claim, its checks catch errors, its exits say so."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cconv
from cconv import _measure, demo
from cconv.__main__ import main
from cconv._banks import contrast_bank, cosine_bank, cosine_matrix

PNG = b"\x89PNG\r\n\x1a\n"
LUMINANCE = slice(0, 10)  # edges, bars, spots; the rest are colour contrasts

# ------------------------------------------------------------------------------------- the banks


def test_contrast_filters_have_length_one_and_do_not_see_grey() -> None:
    weight, names = contrast_bank()
    assert weight.shape == (16, 3, 7, 7)
    assert weight.dtype == np.float32
    assert len(set(names)) == 16
    np.testing.assert_allclose(np.square(weight).sum(axis=(1, 2, 3)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(weight.sum(axis=(1, 2, 3), dtype=np.float64), 0.0, atol=1e-6)
    grey = np.full((3, 7, 7), 0.7, np.float32)
    np.testing.assert_allclose(cconv.conv2d(grey, weight), 0.0, atol=1e-5)


def test_luminance_filters_do_not_see_colour_and_colour_filters_see_only_colour() -> None:
    weight, _ = contrast_bank()
    luminance, colour = weight[LUMINANCE], weight[LUMINANCE.stop :]
    assert np.array_equal(luminance, np.broadcast_to(luminance[:, :1], luminance.shape))
    np.testing.assert_allclose(colour.sum(axis=1, dtype=np.float64), 0.0, atol=1e-7)
    mixed = luminance.reshape(10, -1) @ colour.reshape(6, -1).T
    np.testing.assert_allclose(mixed, 0.0, atol=1e-6)


def test_edges_are_odd_and_the_other_luminance_filters_even() -> None:
    weight, names = contrast_bank()
    turned = weight[..., ::-1, ::-1]
    for name, filter_, other in zip(names, weight, turned, strict=True):
        odd = name.startswith("edge") or "/" in name
        np.testing.assert_allclose(other, -filter_ if odd else filter_, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("kind", ["edge", "bar"])
def test_a_filter_at_90_degrees_is_the_one_at_0_transposed(kind: str) -> None:
    weight, names = contrast_bank()
    level, upright = weight[names.index(f"{kind} 0°")], weight[names.index(f"{kind} 90°")]
    np.testing.assert_allclose(upright, level.transpose(0, 2, 1), atol=1e-7)


def test_an_edge_filter_answers_its_own_edge_most() -> None:
    weight, names = contrast_bank()
    step = np.zeros((3, 7, 7), np.float32)
    step[:, :, 4:] = 1.0  # bright on the right
    answer = cconv.conv2d(step, weight)[:, 0, 0]
    edges = [i for i, name in enumerate(names) if name.startswith("edge")]
    assert names[max(edges, key=lambda i: answer[i])] == "edge 0°"


@pytest.mark.parametrize("n", [1, 2, 3, 16])
def test_the_cosine_matrix_is_orthogonal(n: int) -> None:
    matrix = cosine_matrix(n)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n), atol=1e-14)
    np.testing.assert_allclose(matrix[0], n**-0.5)


def test_cosine_filters_are_orthonormal() -> None:
    weight, labels = cosine_bank()
    assert weight.shape == (32, 16, 3, 3)
    assert weight.dtype == np.float32
    assert len(set(labels)) == 32
    rows = weight.reshape(32, -1).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(32), atol=1e-7)


# -------------------------------------------------------------------------------- the photograph


def test_the_photo_that_ships_with_the_package() -> None:
    photo = demo.load_photo()
    assert photo.shape == (256, 256, 3)
    assert photo.dtype == np.uint8
    assert photo.min() < 10
    assert photo.max() > 245
    red, green, _ = photo.mean(axis=(0, 1))
    assert red > green  # an orange suit


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nowhere\.png"):
        demo.load_photo(tmp_path / "nowhere.png")
    with pytest.raises(OSError, match="is not a file"):
        demo.load_photo(tmp_path)


def test_without_pillow_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PNG)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs Pillow .*pip install "cconv\[demo\]"'):
        demo.load_photo(path)


@pytest.fixture
def pillow() -> Any:
    return pytest.importorskip("PIL.Image", reason="Pillow, which reads image files, is not here")


def test_an_image_file_is_read_as_rgb(tmp_path: Path, pillow: Any) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    path = tmp_path / "photo.png"
    pillow.fromarray(pixels).save(path)
    assert np.array_equal(demo.load_photo(path), pixels)
    assert np.array_equal(demo.load_photo(str(path)), pixels)
    pillow.fromarray(pixels[..., 0]).save(path)
    assert np.array_equal(demo.load_photo(path), pixels[..., :1].repeat(3, axis=2))
    pillow.fromarray(pixels).convert("RGBA").save(path)
    assert np.array_equal(demo.load_photo(path), pixels)


def test_a_large_image_is_reduced_by_averaging(tmp_path: Path, pillow: Any) -> None:
    pixels = np.zeros((96, 2048, 3), np.uint8)
    pixels[:, ::2] = 200
    path = tmp_path / "wide.png"
    pillow.fromarray(pixels).save(path)
    photo = demo.load_photo(path)
    assert photo.shape == (48, 1024, 3)
    assert np.all(photo == 100)


def test_what_is_not_an_image_is_refused(tmp_path: Path, pillow: Any) -> None:
    path = tmp_path / "letter.png"
    path.write_text("Dear reader", encoding="ascii")
    with pytest.raises(ValueError, match=r"letter\.png' is not an image"):
        demo.load_photo(path)
    pillow.fromarray(np.zeros((99, 99), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:50])  # cut short
    with pytest.raises(ValueError, match=r"letter\.png' cannot be used as an image"):
        demo.load_photo(path)
    pillow.fromarray(np.zeros((4, 4), np.uint16)).save(path)
    with pytest.raises(ValueError, match="more than 8 bits"):
        demo.load_photo(path)


# ----------------------------------------------------------------------------------- the network


def layers_of(shape: tuple[int, int], threads: int | None = 1) -> list[demo.LayerResult]:
    x = np.random.default_rng(2).standard_normal((3, *shape)).astype(np.float32)
    peak = _measure.FmaPeak("float32", 1)
    return demo.run_layers(x, demo.network(), threads, peak, seconds=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (17, 4), (33, 48)])
def test_every_layer_keeps_its_bound_on_pictures_of_any_size(shape: tuple[int, int]) -> None:
    results = layers_of(shape)
    height, width = ((n + 1) // 2 for n in shape)
    assert [r.output.shape for r in results] == [
        (16, *shape),
        (16, height, width),
        (32, height, width),
        (32, (height + 1) // 2, (width + 1) // 2),
    ]
    for result in results:
        assert result.passed, result.layer.name
        assert result.output.dtype == np.float32
        assert result.seconds > 0.0
    assert results[1].error == 0.0
    assert [r.rate is None for r in results] == [False, True, False, True]


def test_the_layers_are_what_they_are_called() -> None:
    first, pooled, second, averaged = layers_of((9, 11))
    weight, _ = contrast_bank()
    padded = np.pad(first.input, ((0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(1, 2))
    exact = np.einsum("ockl,cyxkl->oyx", weight, windows) + np.float32(demo.BIAS)
    np.testing.assert_allclose(first.output, np.maximum(exact, 0.0), atol=1e-5)
    assert pooled.output[3, 2, 2] == first.output[3, 3:6, 3:6].max()
    assert second.output.min() == 0.0
    assert averaged.output[5, 1, 1] == pytest.approx(second.output[5, 2:4, 2:4].mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("spoil", "passed"),
    [
        (lambda y, bound: y + 0.25 * bound, True),
        (lambda y, bound: y + 4.0 * bound, False),
        (lambda y, bound: y * np.nan, False),
        (lambda y, bound: y + np.inf, False),
    ],
)
def test_an_error_above_the_bound_is_caught(spoil: Callable[[Any, Any], Any], passed: bool) -> None:
    layer = demo.network()[0]
    x = np.random.default_rng(3).standard_normal((3, 8, 8)).astype(np.float32)
    exact, bound = layer.exact(x)
    wrong = layer.call(x, None, 1)
    wrong[4, 5, 6] = spoil(exact, bound)[4, 5, 6]
    error = demo.worst_error(wrong, exact, bound)
    assert demo.LayerResult(layer, x, wrong, 1.0, error).passed is passed


def test_where_the_bound_is_zero_only_equal_passes() -> None:
    zero, one = np.zeros(3), np.ones(3)
    assert demo.worst_error(np.zeros(3, np.float32), zero, zero) == 0.0
    assert demo.worst_error(np.ones(3, np.float32), zero, zero) == np.inf
    assert demo.worst_error(np.ones(3, np.float32), one, zero) == 0.0


# --------------------------------------------------------------------------------- the whole run


@pytest.fixture
def small_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = demo.load_photo()[40:80, 60:110]
    monkeypatch.setattr(demo, "load_photo", lambda path=None: photo)
    monkeypatch.setattr(demo, "SECONDS_PER_LAYER", 1e-3)


def test_the_demo_writes_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="Matplotlib, which draws the picture, is not here")
    path = tmp_path / "picture.png"
    assert main(["demo", "--output", str(path), "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert path.read_bytes().startswith(PNG)
    assert path.stat().st_size > 100_000
    assert out.count("pass\n") == 4
    assert "FAIL" not in out
    assert "3 x 256 x 256 -> 16 x 256 x 256" in out
    assert f"wrote {path}" in out
    assert ("NumPy reference" in out) is not _measure.has_core()
    assert ("% " in out) is _measure.has_core()


@pytest.mark.usefixtures("small_photo")
def test_without_matplotlib_all_but_the_picture_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "picture.png"
    assert main(["demo", "--output", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.count("pass\n") == 4
    assert "no picture was written" in err
    assert 'pip install "cconv[demo]"' in err
    assert not path.exists()


@pytest.mark.usefixtures("small_photo")
@pytest.mark.parametrize("error", [1e-3, np.nan, np.inf])
def test_a_failed_check_is_told_and_exits_1(
    error: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, *others = demo.network()

    def call(x: Any, out: Any, threads: int | None) -> Any:
        y = first.call(x, out, threads)
        y += np.float32(error)
        return y

    wrong = demo.Layer(first.name, call, first.exact, first.flops)
    monkeypatch.setattr(demo, "network", lambda: (wrong, *others))
    assert main(["demo", "--output", str(tmp_path / "picture.png")]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[5].endswith("FAIL")  # the first row
    assert "above the bound: conv 7x7 + bias + ReLU" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "there is no file 'nowhere.png'"),
        (["--output", "picture.jpg"], "--output must name a .png file"),
        (["--output", "no/such/place.png"], "there is no directory"),
    ],
)
def test_what_cannot_be_used_exits_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


# ------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["demo", "one.png", "two.png"],
        ["demo", "--threads", "0"],
        ["demo", "--threads", "two"],
        ["demo", "--threads", "-1"],
        ["info", "--threads", "1"],
    ],
)
def test_bad_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m cconv" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["info"], ["demo"], ["bench"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    assert "usage: python -m cconv" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"cconv {cconv.__version__}\n"


def test_info_prints_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    cconv.show_config()
    expected = capsys.readouterr().out
    assert main(["info"]) == 0
    assert capsys.readouterr().out == expected != ""


def test_arguments_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(demo, "run", lambda *args: calls.append(args) or 0)
    main(["demo"])
    main(["demo", "cat.jpg", "--threads", "3", "--output", "cat.png"])
    assert calls == [(None, "cconv-demo.png", None), ("cat.jpg", "cat.png", 3)]
