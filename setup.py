"""Build cconv._core, the one extension: cconv/_core.pyx and every C file of src_c/.

Beside it come header, sources and static library of the core for programs in C: tools/embedding.py.

Everything else about the project is in pyproject.toml. The environment decides three things:

CCONV_REQUIRE_EXT=1         a core that does not build is an error. Without it the install succeeds
                            and the NumPy reference runs. Implied where wheels are made.
CCONV_OPENMP=auto|0|1       use OpenMP if the compiler has it (the default) | never | or fail.
CCONV_SANITIZE=address,...  build with these sanitizers (`make asan`).
"""

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))
import embedding  # noqa: E402

# Appended to the interpreter's own flags, so these win. Every multiply-add is written out in the
# source: contraction stays off, and -ffast-math never comes in.
COMPILE_FLAGS = [
    "-std=gnu11",
    "-O2",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-g0",  # an interpreter's -g makes extension and static library many times as large
]

# The interpreter may pass -fwrapv, which hides signed overflow from the sanitizer.
SANITIZE_FLAGS = ["-g", "-O1", "-fno-omit-frame-pointer", "-fno-wrapv"]

# Pairs of (compile flags, link flags), tried in order.
OPENMP_FLAGS = [(["-fopenmp"], ["-fopenmp"])]
if sys.platform == "darwin":
    OPENMP_FLAGS.append((["-Xpreprocessor", "-fopenmp"], ["-lomp"]))
# OpenMP's run time as another compiler can be told to link it: GCC's or Clang's.
OPENMP_LIBRARIES = ["-lgomp", "-lomp"]

OPENMP_PROGRAM = """\
#include <omp.h>
int main(void)
{
    int threads = 0;
    #pragma omp parallel num_threads(2) reduction(+ : threads)
    threads += omp_get_thread_num() >= 0;
    return threads == 0;
}
"""

REQUIRE_EXT = any(
    os.environ.get(name, "0") not in ("", "0")
    for name in ("CCONV_REQUIRE_EXT", "CIBUILDWHEEL", "CONDA_BUILD", "PIWHEELS_BUILD")
)

BUILD_CONFIG = '''\
"""How this copy of cconv was built. Written by setup.py; do not edit."""

BUILD_ERROR: str = {error!r}
OPENMP_FLAGS: tuple[str, ...] = {openmp!r}
COMPILER: str = {compiler!r}
LINK_FLAGS: tuple[str, ...] = {link_flags!r}  # of a program that links lib/libcconv.a
'''


def compile_all(
    compiler,
    sources,
    output_dir=None,
    macros=None,
    include_dirs=None,
    debug=0,
    extra_preargs=None,
    extra_postargs=None,
    depends=None,
):
    """What the compiler's own `compile` does, as many files at a time as there are processors."""
    macros, objects, flags, options, files = compiler._setup_compile(
        output_dir, macros, include_dirs, sources, depends, extra_postargs
    )
    arguments = compiler._get_cc_args(options, debug, extra_preargs)

    def compile_one(target):
        source, extension = files[target]
        compiler._compile(target, source, extension, arguments, of_file(source, flags), options)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(compile_one, objects):
            pass
    return objects


def of_file(source, flags):
    """The flags of one file: those of the kernels have no sanitizer but that of addresses.

    Theirs are large functions without branches, on which GCC spends ten minutes a file for checks
    of undefined behaviour, and with its usual checks of addresses in line.
    """
    if not Path(source).name.startswith("isa_"):
        return flags
    kept = [flag for flag in flags if not flag.startswith("-fsanitize=")]
    if "address" in os.environ.get("CCONV_SANITIZE", "").split(","):
        kept += ["-fsanitize=address", "--param=asan-instrumentation-with-call-threshold=0"]
    return kept


class BuildCore(build_ext):
    """Build the core, or remember why it could not be built."""

    def initialize_options(self):
        super().initialize_options()
        self.cython_c_in_temp = True  # no generated C among the sources
        self.error, self.openmp, self.command = "", [], ""
        self.objects, self.library, self.link_flags = [], None, []

    def finalize_options(self):
        super().finalize_options()
        # The check whether the result is up to date sees files, not flags or CCONV_* variables.
        self.force = True

    def run(self):
        super().run()
        for folder in [self.build_lib, *(["."] if self.inplace else [])]:
            self.write_config(folder)
            version = self.distribution.get_version()
            embedding.write(Path(folder, "cconv"), version, self.library, self.link_flags)

    def build_extension(self, ext):
        try:
            if self.compiler.compiler_type == "msvc":
                raise CompileError("the C core needs the vector types of GCC or Clang")
            self.find_openmp(ext)
            sanitizers = os.environ.get("CCONV_SANITIZE", "")
            if sanitizers:
                ext.extra_compile_args += [f"-fsanitize={sanitizers}", *SANITIZE_FLAGS]
                ext.extra_link_args += [f"-fsanitize={sanitizers}"]
            self.command = shlex.join([*self.compiler.compiler_so, *ext.extra_compile_args])
            self.compiler.compile = self.compile
            super().build_extension(ext)
            if not sanitizers:  # whose run time a program would have to be linked with
                self.build_library()
        except (CCompilerError, BaseError) as error:
            self.error = reason(error)
            self.report()
            raise  # setuptools carries on if the extension is optional

    def compile(self, *arguments, **options):
        self.objects = compile_all(self.compiler, *arguments, **options)
        return self.objects

    def build_library(self):
        """The static library, of the extension's objects; none where there is no archiver."""
        core = [name for name in self.objects if Path(name).stem != "_core"]
        library = Path(self.build_temp, self.compiler.library_filename("cconv"))
        library.unlink(missing_ok=True)  # an archiver keeps what an older one holds
        try:
            self.compiler.create_static_lib(core, "cconv", output_dir=self.build_temp)
        except (CCompilerError, BaseError, subprocess.CalledProcessError, OSError) as error:
            print(f"cconv: no static library for programs in C: {reason(error)}", file=sys.stderr)
            return
        self.library = library
        self.link_flags = [*self.openmp_libraries(), "-lm"]

    def openmp_libraries(self):
        """What a program links that links the static library, by whatever compiler."""
        if not self.openmp:
            return []
        for name in OPENMP_LIBRARIES:
            if self.links(OPENMP_PROGRAM, self.openmp, [name]):
                return [name, "-lpthread"]
        return [*self.openmp, "-lpthread"]

    def find_openmp(self, ext):
        """Add the OpenMP flags that compile and link a small program. It is never run."""
        wish = os.environ.get("CCONV_OPENMP", "auto")
        if wish not in ("auto", "0", "1"):
            raise SystemExit(f"CCONV_OPENMP is {wish!r}; expected auto, 0 or 1")
        for compile_flags, link_flags in OPENMP_FLAGS if wish != "0" else []:
            if self.links(OPENMP_PROGRAM, compile_flags, link_flags):
                ext.extra_compile_args += compile_flags
                ext.extra_link_args += link_flags
                self.openmp = compile_flags
                return
        if wish == "1":
            raise SystemExit("CCONV_OPENMP=1, but this compiler builds no OpenMP program")

    def links(self, program, compile_flags, link_flags):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=compile_flags
                )
                self.compiler.link_executable(
                    objects, str(Path(folder, "probe")), extra_postargs=link_flags
                )
            except (CCompilerError, BaseError):
                return False
        return True

    def report(self):
        if REQUIRE_EXT:
            outcome = "That is an error here: CCONV_REQUIRE_EXT or a wheel builder asks for it."
        else:
            outcome = "cconv will run its slow NumPy reference (CCONV_REQUIRE_EXT=1: an error)."
        print(
            f"\n{'*' * 78}\ncconv: THE C CORE WAS NOT BUILT\n  {self.error}\n  {outcome}\n  "
            "It needs GCC or Clang, and Python's C headers (python3-dev on Debian and Ubuntu).\n"
            f"{'*' * 78}\n",
            file=sys.stderr,
            flush=True,
        )

    def write_config(self, folder):
        if self.error:  # an older core must not be taken for this build's
            Path(folder, self.get_ext_filename("cconv._core")).unlink(missing_ok=True)
        text = BUILD_CONFIG.format(
            error=self.error,
            openmp=tuple(self.openmp),
            compiler=self.command,
            link_flags=tuple(self.link_flags),
        )
        path = Path(folder, "cconv", "_build_config.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def reason(error):
    """One line that says why: the compiler's own first complaint, where it has one."""
    cause = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__
    if not isinstance(cause, subprocess.CalledProcessError):
        return str(cause)
    english = {**os.environ, "LC_ALL": "C"}
    again = subprocess.run(cause.cmd, env=english, capture_output=True, text=True, check=False)
    complaints = [line.strip() for line in again.stderr.splitlines() if "error" in line]
    complaint = complaints[0] if complaints else "it says nothing"
    return f"{cause.cmd[0]} ended with status {cause.returncode}: {complaint}"


def files(*patterns):
    return sorted(path.as_posix() for pattern in patterns for path in Path("src_c").rglob(pattern))


setup(
    cmdclass={"build_ext": BuildCore},
    ext_modules=[
        Extension(
            "cconv._core",
            sources=["cconv/_core.pyx", *files("*.c")],
            depends=[*files("*.h", "*.inc"), "cconv/cconv_import.h", "cconv/results.h"],
            include_dirs=["src_c/include", "src_c", "cconv", numpy.get_include()],
            # The C interface of NumPy 1.25, which 1.26 shares: the oldest that runs cconv.
            define_macros=[
                ("NPY_NO_DEPRECATED_API", "NPY_1_25_API_VERSION"),
                ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION"),
            ],
            extra_compile_args=list(COMPILE_FLAGS),
            libraries=[] if platform.system() == "Windows" else ["m"],
            optional=not REQUIRE_EXT,
        )
    ],
)
