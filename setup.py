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

CORE_FILES = {"_cutter": ("cut.c",)}
"""Files of the core that a binding needs, where it does not need them all."""

UNIX_FLAGS = ["-O3", "-g0", "-std=c11", "-fvisibility=hidden"]
"""Without -march: a wheel runs on every processor of its architecture."""

DIRECTIVES = {"language_level": 3, "binding": False, "embedsignature": False}


def extension(binding: Path) -> Extension:
    name = binding.stem
    core = [CORE / file for file in CORE_FILES[name]] if name in CORE_FILES else sorted(CORE.glob("*.c"))
    return Extension(
        f"etl.native.{name}",
        sources=[binding.as_posix(), *(file.as_posix() for file in core)],
        depends=[file.as_posix() for file in sorted([*CORE.glob("*.h"), *NATIVE.glob("*.pxd")])],
        include_dirs=[CORE.as_posix()],
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
            self.warn(f"{ext.name} is left out, so that XML is read through lxml, which is slower: {reason}")


setup(ext_modules=[extension(file) for file in sorted(NATIVE.glob("_*.pyx"))], cmdclass={"build_ext": BuildNative})
