# Copyright (c) The cconv developers. BSD-3-Clause; see LICENSE.
"""A census of the machine code: register tiles keep their accumulators in registers.

objdump disassembles the built extension. In the hot loop of each tile kernel the multiply-adds must
be a whole multiple of MR * NV in full vectors, nothing may be written to memory, and no vector may
pass through the stack: a compiler that stores an accumulator array costs a factor of three. The
products of a matrix unit have tiles for registers, which are loaded as seldom as can be.
"""

from __future__ import annotations

import functools
import itertools
import platform
import re
from typing import NamedTuple

import pytest
from toolchain import SANITIZE, absent, built_core, succeed, tool

import cconv


class Instruction(NamedTuple):
    address: int
    mnemonic: str
    operands: tuple[str, ...]


class Tile(NamedTuple):
    """The facts that the name of a tile kernel states."""

    dtype: str
    rows: int
    vectors: int
    isa: str
    kernel: str = "conv_tile"  # or conv_panel, or winograd_product, whose rows are tiles


class Isa(NamedTuple):
    register: str  # the full vector register of this instruction set
    fused: bool
    registers: int


ISAS = {
    "avx512": Isa("zmm", True, 32),
    "avx2": Isa("ymm", True, 16),
    "generic": Isa("xmm", False, 16),
}
SUFFIX = {"f32": "ps", "f64": "pd"}

KERNELS = ("conv_tile", "conv_panel", "winograd_product")
_NAME = re.compile(rf"cconv_(f32|f64)_({'|'.join(KERNELS)})_(\d+)x(\d+)__(\w+?)(?:\.\w+)*")
# Squares of positions by squares of lanes, and how many are loaded in a step; see matrix/products.
LOADED = {(2, 2): 14, (1, 2): 10, (4, 1): 27}
SQUARES = [f"{kind}_of_{x}x{w}" for kind in ("lines", "planes") for x, w in LOADED]
PRODUCTS = 6  # of parts, for a square of sums
_SQUARES = re.compile(r"(\w+_of_(\d)x(\d))(?:\.\w+)*")
_LINE = re.compile(r"\s*([0-9a-f]+):\t(?:(?:bnd|notrack|rep\w*|lock|data16|cs|ds)\s+)*(\S+)\s*(.*)")
_HEADER = re.compile(r"[0-9a-f]+ <([^>]+)>:")
_OPERAND = re.compile(r",\s*(?![^(]*\))")
_JUMP = re.compile(r"j\w+|loop\w*")
_VECTOR = re.compile(r"%[xyz]mm\d+")


def tile_of(name: str) -> Tile | None:
    """The register tile that a symbol is the kernel of, or None for other symbols."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    dtype, kernel, rows, vectors, isa = match.groups()
    return Tile(dtype, int(rows), int(vectors), isa, kernel)


def parse(text: str) -> dict[str, list[Instruction]]:
    """Functions of an objdump listing in AT&T syntax, without raw bytes."""
    functions: dict[str, list[Instruction]] = {}
    body: list[Instruction] = []
    for line in text.splitlines():
        if header := _HEADER.match(line):
            body = functions.setdefault(header.group(1), [])
        elif match := _LINE.match(line):
            address, mnemonic, rest = match.groups()
            rest = re.sub(r"\s*(<[^>]*>|#.*)$", "", rest)
            operands = tuple(_OPERAND.split(rest)) if rest else ()
            body.append(Instruction(int(address, 16), mnemonic, operands))
    return functions


def loops(function: list[Instruction]) -> list[list[Instruction]]:
    """Bodies of the innermost loops: jump target to backward jump, with no other such inside."""
    first = function[0].address
    spans = set()
    for instruction in function:
        if _JUMP.fullmatch(instruction.mnemonic) and instruction.operands:
            target = re.fullmatch(r"(?:0x)?([0-9a-f]+)", instruction.operands[0])
            if target and first <= int(target.group(1), 16) <= instruction.address:
                spans.add((int(target.group(1), 16), instruction.address))

    def holds(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
        return outer != inner and outer[0] <= inner[0] and inner[1] <= outer[1]

    innermost = [span for span in spans if not any(holds(span, other) for other in spans)]
    return [[i for i in function if low <= i.address <= high] for low, high in sorted(innermost)]


def arithmetic(body: list[Instruction], tile: Tile) -> list[int]:
    """How many full-vector multiply-adds the body has; without fusion, how many of each half."""
    isa, suffix = ISAS[tile.isa], SUFFIX[tile.dtype]
    kinds = [rf"vfn?madd\d+{suffix}"] if isa.fused else [rf"v?mul{suffix}", rf"v?add{suffix}"]
    return [
        sum(
            re.fullmatch(kind, instruction.mnemonic) is not None
            and instruction.operands[-1].startswith(f"%{isa.register}")
            for instruction in body
        )
        for kind in kinds
    ]


def inputs(body: list[Instruction], tile: Tile) -> int:
    """How many full vectors the body reads from memory; one element for all lanes is none."""
    return sum(
        any("(" in source and "{1to" not in source for source in instruction.operands[:-1])
        and instruction.operands[-1].startswith(f"%{ISAS[tile.isa].register}")
        and not instruction.mnemonic.startswith("vbroadcast")
        for instruction in body
    )


def stack_pointers(function: list[Instruction], until: int) -> set[str]:
    """Registers that hold an address in the stack frame when `until` is reached, read in order."""
    held = {"%rsp"}
    for instruction in function:
        if instruction.address >= until or not instruction.operands:
            continue
        *sources, target = instruction.operands
        if target == "%rsp" or not re.fullmatch(r"%r\w+", target):
            continue
        copies = instruction.mnemonic in {"mov", "lea", "movq", "leaq"} and sources
        base = re.fullmatch(r"(%\w+)|[^(]*\((%\w+).*", sources[0]) if copies else None
        is_load = instruction.mnemonic.startswith("mov") and base and base.group(2)
        if base and not is_load and (base.group(1) or base.group(2)) in held:
            held.add(target)
        elif instruction.mnemonic not in {"add", "sub", "and", "cmp", "test", "inc", "dec", "push"}:
            held.discard(target)
    return held


def census(function: list[Instruction], tile: Tile) -> list[str]:
    """What is wrong with the hot loop of a tile kernel, in sentences; nothing for a good one."""
    if tile.isa not in ISAS:
        return [f"no facts about the instruction set {tile.isa}"]
    bodies = loops(function)
    hot = max(bodies, key=lambda body: sum(arithmetic(body, tile)), default=[])
    counts, whole = arithmetic(hot, tile), tile.rows * tile.vectors
    if not sum(counts):
        return ["no loop with full-vector multiply-adds"]
    problems = []
    if any(count <= 0 or count % whole for count in counts):
        problems.append(f"{counts} multiply-adds, not a multiple of {tile.rows}x{tile.vectors}")
    read = inputs(hot, tile)
    held = whole + tile.rows + 2 <= ISAS[tile.isa].registers
    if ISAS[tile.isa].fused and held and read * tile.rows > counts[0]:
        problems.append(f"{read} vectors of inputs read for {counts[0]} multiply-adds: some again")
    held = stack_pointers(function, hot[0].address)
    for instruction in hot:
        memory = [operand for operand in instruction.operands if "(" in operand]
        text = f"{instruction.address:x}: {instruction.mnemonic} {','.join(instruction.operands)}"
        if not memory or not _VECTOR.search("".join(instruction.operands)):
            continue
        if held & set(re.findall(r"%\w+", re.sub(r"^[^(]*", "", memory[0]))):
            problems.append(f"a vector through the stack: {text}")
        elif instruction.operands[-1] is memory[-1] and tile.rows >= 2:
            problems.append(f"a vector stored: {text}")
    return problems


def matrix_census(function: list[Instruction], positions: int, lanes: int) -> list[str]:
    """What is wrong with the hot loop of products of squares; nothing for a good one."""

    def count(body: list[Instruction], mnemonic: str) -> int:
        return sum(instruction.mnemonic == mnemonic for instruction in body)

    hot = max(loops(function), key=lambda body: count(body, "tdpbf16ps"), default=[])
    problems = [
        f"{count(hot, mnemonic)} {mnemonic}, not {expected}"
        for mnemonic, expected in (
            ("tdpbf16ps", PRODUCTS * positions * lanes),
            ("tileloadd", LOADED[positions, lanes]),
            ("tilestored", 0),
        )
        if count(hot, mnemonic) != expected
    ]
    sums = {i.operands[-1] for i in hot if i.mnemonic == "tdpbf16ps"}
    if len(sums) != positions * lanes:
        problems.append(f"{len(sums)} sums, not {positions}x{lanes}")
    for instruction in hot:
        if any("%rsp" in operand for operand in instruction.operands):
            problems.append(f"through the stack: {instruction.address:x}: {instruction.mnemonic}")
    return problems


# ------------------------------------------------------------------------------ the parser, on text

CLEAN = """
0000000000001000 <cconv_f32_conv_tile_2x1__avx512>:
    1000:\tpush   %rbp
    1001:\tmov    (%rdi),%rbp
    1004:\tvxorps %xmm0,%xmm0,%xmm0
    1008:\tvmovups (%rsi,%rax,4),%zmm2
    100c:\tvbroadcastss (%rbp,%rax,4),%zmm3
    1010:\tvfmadd231ps %zmm3,%zmm2,%zmm0
    1014:\tvfmadd231ps 0x40(%rdx){1to16},%zmm2,%zmm1
    1018:\tadd    $0x1,%rax
    101c:\tcmp    %rcx,%rax
    1020:\tjne    1008 <cconv_f32_conv_tile_2x1__avx512+0x8>
    1024:\tvmovups %zmm0,(%r8)
    1028:\tret

0000000000002000 <other>:
    2000:\tret
"""
PAIR = Tile("f32", 2, 1, "avx512")
GENERIC = """
0000000000001000 <cconv_f64_conv_tile_1x2__generic>:
    1000:\tmovupd (%rsi),%xmm2
    1004:\tmulpd  %xmm3,%xmm2
    1008:\taddpd  %xmm2,%xmm0
    100c:\tmulpd  0x10(%rsi),%xmm3
    1010:\taddpd  %xmm3,%xmm1
    1014:\taddsd  %xmm5,%xmm6
    1018:\tjne    1000 <cconv_f64_conv_tile_1x2__generic>
"""


PRODUCTS_1X2 = "".join(
    ["0000000000001000 <lines_of_1x2>:\n"]
    + [f"    10{i:02x}:\ttileloadd (%rcx,%rax,1),%tmm4\n" for i in range(10)]
    + [f"    10{i:02x}:\ttdpbf16ps %tmm6,%tmm4,%tmm{i % 2}\n" for i in range(16, 28)]
    + ["    1020:\tjne    1000 <lines_of_1x2>\n", "    1024:\ttilestored %tmm0,(%rdx,%r8,1)\n"]
)


def only(text: str) -> list[Instruction]:
    """The first function of a listing."""
    return next(iter(parse(text).values()))


def edited(old: str, new: str, text: str = CLEAN) -> list[Instruction]:
    """The first function of `text` with one thing changed."""
    assert text.count(old) == 1
    return only(text.replace(old, new))


def test_parse_finds_functions_and_operands() -> None:
    functions = parse(CLEAN)
    assert list(functions) == ["cconv_f32_conv_tile_2x1__avx512", "other"]
    assert functions["other"] == [Instruction(0x2000, "ret", ())]
    assert only(CLEAN)[3] == Instruction(0x1008, "vmovups", ("(%rsi,%rax,4)", "%zmm2"))
    assert only(CLEAN)[6].operands == ("0x40(%rdx){1to16}", "%zmm2", "%zmm1")


def test_tile_of_reads_the_name() -> None:
    assert tile_of("cconv_f32_conv_tile_12x2__avx512") == Tile("f32", 12, 2, "avx512")
    assert tile_of("cconv_f64_conv_tile_8x3__avx2.lto_priv.0") == Tile("f64", 8, 3, "avx2")
    panel = Tile("f64", 8, 3, "avx2", "conv_panel")
    assert tile_of("cconv_f64_conv_panel_8x3__avx2") == panel
    product = Tile("f64", 6, 4, "avx512", "winograd_product")
    assert tile_of("cconv_f64_winograd_product_6x4__avx512") == product
    assert tile_of("cconv_f32_pool_tile_8x3__avx2") is None


def test_loops_are_the_innermost_ones() -> None:
    nested = CLEAN.replace("1028:\tret", "1028:\tjb     1001 <x>\n    102c:\tret")
    assert [body[0].address for body in loops(only(nested))] == [0x1008]
    assert loops(only("0 <f>:\n 10:\tjmp    20 <f+0x10>\n 20:\tret")) == []


def test_clean_loops_pass() -> None:
    assert census(only(CLEAN), PAIR) == []
    assert census(only(GENERIC), Tile("f64", 1, 2, "generic")) == []


def test_a_single_row_may_store() -> None:
    stores = edited("add    $0x1,%rax", "vmovups %zmm9,(%r9)")
    assert census(stores, PAIR)
    assert census(stores, PAIR._replace(rows=1)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("vfmadd231ps %zmm3,%zmm2,%zmm0", "vfmadd231ps %ymm3,%ymm2,%ymm0", "multiple"),
        ("vfmadd231ps %zmm3,%zmm2,%zmm0", "vfmadd231ss %xmm3,%xmm2,%xmm0", "multiple"),
        ("vfmadd231ps %zmm3,%zmm2,%zmm0", "vmulps %zmm3,%zmm2,%zmm0", "multiple"),
        ("add    $0x1,%rax", "vfmadd231ps %zmm3,%zmm2,%zmm0", "multiple"),
        ("%zmm3,%zmm2,%zmm0", "(%rsi,%rax,4),%zmm3,%zmm0", "some again"),
        ("jne    1008", "jne    1024", "no loop"),
        ("(%rsi,%rax,4)", "0x40(%rsp)", "through the stack"),
        ("0x40(%rdx){1to16}", "0x40(%rsp){1to16}", "through the stack"),
        ("0x40(%rdx){1to16}", "0x40(%rsi,%rsp,1)", "through the stack"),
        ("add    $0x1,%rax", "vmovaps %zmm0,-0x40(%rsp)", "through the stack"),
        ("add    $0x1,%rax", "vmovups %zmm0,(%r9)", "stored"),
        ("add    $0x1,%rax", "vmovups %zmm0,(%r9){%k1}", "stored"),
        ("mov    (%rdi),%rbp", "mov    %rsp,%rbp", "through the stack"),
        ("mov    (%rdi),%rbp", "lea    0x40(%rsp),%rbp", "through the stack"),
        ("vxorps %xmm0,%xmm0,%xmm0", "lea    0x40(%rsp),%rdx", "through the stack"),
    ],
)
def test_a_bad_loop_is_found(old: str, new: str, problem: str) -> None:
    assert any(problem in sentence for sentence in census(edited(old, new), PAIR))


def test_halves_of_a_multiply_add_are_both_counted() -> None:
    tile = Tile("f64", 1, 2, "generic")
    assert census(edited("addpd  %xmm3,%xmm1", "mulpd  %xmm3,%xmm1", GENERIC), tile)
    assert census(edited("addpd  %xmm3,%xmm1", "addsd  %xmm3,%xmm1", GENERIC), tile)


def test_a_register_that_no_longer_points_into_the_stack_may_be_used() -> None:
    reused = edited("mov    (%rdi),%rbp", "mov    %rsp,%rbp\n    1002:\tmov    (%rdi),%rbp")
    assert census(reused, PAIR) == []


def test_an_unknown_instruction_set_is_not_passed_over() -> None:
    assert census(only(CLEAN), PAIR._replace(isa="avx1024"))


def test_clean_products_pass() -> None:
    assert matrix_census(only(PRODUCTS_1X2), 1, 2) == []
    assert len(matrix_census(only(PRODUCTS_1X2), 2, 2)) == 3
    assert matrix_census(only(CLEAN), 1, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1000:\ttileloadd (%rcx,%rax,1),%tmm4", "1000:\tnop"),
        ("1003:\ttileloadd (%rcx,%rax,1)", "1003:\ttileloadd (%rsp,%rax,1)"),
        ("1010:\ttdpbf16ps %tmm6,%tmm4,%tmm0", "1010:\tnop"),
        ("1010:\ttdpbf16ps %tmm6,%tmm4,%tmm0", "1010:\ttdpbf16ps %tmm6,%tmm4,%tmm2"),
        ("1020:\tjne", "101e:\ttilestored %tmm0,(%rdx,%r8,1)\n    1020:\tjne"),
    ],
)
def test_bad_products_are_found(old: str, new: str) -> None:
    assert matrix_census(edited(old, new, PRODUCTS_1X2), 1, 2)


# ------------------------------------------------------------------------------ the built extension


@functools.cache
def hot_functions() -> dict[str, list[Instruction]]:
    """Every tile kernel and product of squares, disassembled; no test where that cannot be."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        pytest.skip(f"the census reads x86-64 code, this machine is {platform.machine()}")
    if SANITIZE:
        pytest.skip("a sanitizer build checks every access, so its loops are not the real ones")
    core = built_core()
    objdump = tool("objdump")
    names = succeed([tool("nm"), "-P", core]).decode()
    if not names.strip():
        absent("the extension is stripped of its symbols")
    symbols = {line.partition(" ")[0] for line in names.splitlines()}
    listed = {name for name in symbols if tile_of(name) or _SQUARES.fullmatch(name)}
    text = succeed([objdump, "-d", "-M", "att", "--no-show-raw-insn", core]).decode()
    found = {name: body for name, body in parse(text).items() if name in listed}
    assert listed == set(found), "nm and objdump disagree on the tile kernels"
    return found


@functools.cache
def tiles() -> dict[Tile, list[Instruction]]:
    return {tile: body for name, body in hot_functions().items() if (tile := tile_of(name))}


def test_every_instruction_set_has_tiles_for_every_dtype() -> None:
    kinds = {(tile.isa, tile.dtype, tile.kernel) for tile in tiles()}
    assert kinds == set(itertools.product(ISAS, SUFFIX, KERNELS))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", SUFFIX)
def test_hot_loops_stay_in_registers(isa: str, dtype: str) -> None:
    report = {
        f"{tile.kernel} {tile.rows}x{tile.vectors}": problems
        for tile, body in tiles().items()
        if (tile.isa, tile.dtype) == (isa, dtype) and (problems := census(body, tile))
    }
    assert not report


def test_products_of_squares_stay_in_registers() -> None:
    found = {
        match.group(1): matrix_census(body, int(match.group(2)), int(match.group(3)))
        for name, body in hot_functions().items()
        if (match := _SQUARES.fullmatch(name))
    }
    if not found and "amx" not in cconv.show_config("dicts")["isa"]["compiled in"]:
        pytest.skip("this compiler knows no AMX")
    assert found == {name: [] for name in SQUARES}
