"""The C core as a shared library for tests, called by ctypes: its structures, and memory for what they refer to.

Compiled from `etl/native/core/*.c` by the machine's C compiler. CFLAGS are heeded, as is usual: with
``CFLAGS=-fsanitize=address,undefined`` (and the sanitizer's library in LD_PRELOAD) the tests run under sanitizers.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from ctypes import POINTER, c_char_p, c_int32, c_size_t, c_uint8, c_uint32, c_void_p
from pathlib import Path
from typing import Any

CORE = Path(__file__).resolve().parents[2] / "etl" / "native" / "core"

OK = 0
"""etl_status"""

TYPES = (
    *("text", "varchar", "boolean", "smallint", "integer", "bigint", "numeric", "real", "double"),
    *("date", "time", "timestamp", "timestamptz", "uuid", "python"),
)
"""etl_type_name, in order."""

NIL, SEVERAL, MIXED, LIST, ASKED = 1, 2, 4, 8, 16
"""Flags of etl_value."""


class Text(ctypes.Structure):
    _fields_ = (("at", c_void_p), ("size", c_uint32))


class Range(ctypes.Structure):
    _fields_ = (("first", c_uint32), ("count", c_uint32))


class Value(ctypes.Structure):
    _fields_ = (("at", c_void_p), ("size", c_uint32), ("flags", c_uint32))


class Item(ctypes.Structure):
    _fields_ = (("value", Value), ("next", c_void_p))


class List(ctypes.Structure):
    _fields_ = (("first", c_void_p), ("last", c_void_p))


class Type(ctypes.Structure):
    _fields_ = (
        ("name", c_uint32),
        ("length", c_uint32),
        ("precision", c_int32),
        ("scale", c_int32),
        ("utc", c_uint8),
    )


class Step(ctypes.Structure):
    _fields_ = (("kind", c_uint32), ("values", Range))


class ColumnRule(ctypes.Structure):
    _fields_ = (
        ("type", Type),
        ("many", c_uint32),
        ("strip", c_uint8),
        ("asks", c_uint8),
        ("required", c_uint8),
        ("has_fallback", c_uint8),
        ("fallback", Text),
        ("separator", Text),
        ("steps", c_void_p),
        ("step_count", c_uint32),
        ("nulls", c_void_p),
        ("null_count", c_uint32),
        ("texts", c_void_p),
    )


class Arena(ctypes.Structure):
    _fields_ = (("blocks", c_void_p), ("used", c_size_t), ("capacity", c_size_t), ("expected", c_size_t))


def compile_core(folder: Path) -> ctypes.CDLL | None:
    """The core, built in `folder`; None where the machine has no C compiler. Raises where it does not compile."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "core.so"
    flags = ["-std=c11", "-O2", "-g", "-shared", "-fPIC", *shlex.split(os.environ.get("CFLAGS", ""))]
    subprocess.run([compiler, *flags, "-o", library, *sorted(CORE.glob("*.c"))], check=True)
    core = ctypes.CDLL(str(library))
    core.etl_lex.argtypes = (POINTER(Type), c_char_p, c_size_t, c_char_p, POINTER(c_size_t))
    core.etl_convert.argtypes = (POINTER(ColumnRule), c_void_p, c_uint32, POINTER(Arena), POINTER(c_uint32))
    core.etl_arena_free.argtypes = (POINTER(Arena),)
    core.etl_arena_free.restype = None
    return core


class Memory:
    """Keeps alive what structures refer to: Python does not know of their addresses.

    Each text has a block of its own, so that a sanitizer sees every byte read beside it.
    """

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def address(self, thing: ctypes.Structure | ctypes.Array[Any]) -> int:
        self._kept.append(thing)
        return ctypes.addressof(thing)

    def text(self, text: str) -> Text:
        encoded = text.encode()
        # An array of no elements would do, but its address would be nobody's.
        return Text(
            self.address((ctypes.c_char * max(len(encoded), 1)).from_buffer_copy(encoded or b"\0")), len(encoded)
        )

    def texts(self, texts: Sequence[str]) -> int | None:
        return self.address((Text * len(texts))(*map(self.text, texts))) if texts else None


def type_of(name: str, length: int | None = None, precision: int | None = None, scale: int | None = None) -> Type:
    """The type; of timestamptz: values without an offset are UTC."""
    return Type(TYPES.index(name), length or 0, -1 if precision is None else precision, scale or 0, 1)


CANONICAL_BYTES = 64
SAME, WRITTEN, UNSURE = range(3)


def lex(core: ctypes.CDLL, type_: Type, text: str) -> str | None:
    """What etl_lex makes of `text`; None where it is unsure. A text said to be the same is never one written."""
    encoded = text.encode()
    canonical = ctypes.create_string_buffer(CANONICAL_BYTES)
    written = c_size_t()
    result = core.etl_lex(ctypes.byref(type_), encoded, len(encoded), canonical, ctypes.byref(written))
    if result == UNSURE:
        return None
    return text if result == SAME else canonical.raw[: written.value].decode()
