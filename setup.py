"""Builds the compiled modules of `etl/native`; all else about the package stands in `pyproject.toml`.

Every `etl/native/_*.pyx` becomes one extension module, with the files of the C core that it needs. Where none can be
compiled, the build says so in one line and goes on: without them everything works through lxml.
Build them in place with `python setup.py build_ext --inplace`.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

NATIVE = Path("etl", "native")
CORE = NATIVE / "core"

SOURCES = {
    "_clean": (CORE / "clean.c", CORE / "chars.c"),
    "_cutter": (CORE / "cut.c", CORE / "root.c"),
    "_documents": tuple(
        CORE / f"{name}.c" for name in ("blake2b", "buffer", "cut", "documents", "files", "root", "tar")
    ),
    "_zip": (NATIVE / "zlib" / "zip.c",),
    "_sqlite_rows": (NATIVE / "sqlite" / "marshalled_rows.c",),
}
"""What a binding needs, where that is not the whole core. The headers of SQLite and zlib come with `libsqlite3-dev` and
`zlib1g-dev`.
"""

LIBRARIES = {"_zip": ["z"]}

UNIX_FLAGS = ["-O3", "-g0", "-std=c11", "-fvisibility=hidden"]
"""Without -march: a wheel runs on every processor of its architecture."""

DIRECTIVES = {"language_level": 3, "binding": False, "embedsignature": False}


def extension(binding: Path) -> Extension:
    name = binding.stem
    sources = SOURCES.get(name) or sorted(CORE.glob("*.c"))
    return Extension(
        f"etl.native.{name}",
        sources=[binding.as_posix(), *(file.as_posix() for file in sources)],
        depends=[file.as_posix() for file in sorted([*NATIVE.glob("*/*.h"), *NATIVE.glob("*.pxd")])],
        include_dirs=[CORE.as_posix(), (NATIVE / "sqlite").as_posix(), (NATIVE / "zlib").as_posix()],
        libraries=LIBRARIES.get(name, []),
        optional=True,
    )


class BuildNative(build_ext):
    """Goes on where an extension cannot be compiled, and leaves no older one in its place."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.cython_c_in_temp = True
        self.cython_directives = dict(DIRECTIVES)

    def build_extension(self, ext: Extension) -> None:
        if self.compiler.compiler_type == "unix":
            ext.extra_compile_args = UNIX_FLAGS
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError) as error:
            for folder in (".", self.build_lib):
                Path(folder, self.get_ext_filename(ext.name)).unlink(missing_ok=True)
            reason = " ".join(str(error).split())
            self.warn(f"{ext.name} is left out, and Python does its work, which is slower: {reason}")


setup(ext_modules=[extension(file) for file in sorted(NATIVE.glob("_*.pyx"))], cmdclass={"build_ext": BuildNative})
