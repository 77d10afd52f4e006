"""What holds the code together: imports go one way, files stay small, the public names are what is documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import etl

PACKAGE = Path(etl.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

CONTRACTS = {"errors", "messages", "options", "metrics", "mapping", "packs"}
"""What every stage may see."""

ALLOWED = {
    "errors": set[str](),
    "messages": set[str](),
    "options": {"errors", "messages", "settings_yaml"},
    "settings_yaml": {"errors"},
    "metrics": {"errors", "messages"},
    "measuring": {"metrics"},
    "bottleneck": {"loading.batch_share", "loading.batch_size", "metrics", "options", "sizes"},
    "repair_hint": {"extract", "messages", "transform.parser"},
    "report": {"errors", "extract.mends", "metrics"},
    "naming": {"errors"},
    "reject_line": set(),
    "shell_text": set(),
    "sizes": set(),
    "log_file": {"errors"},
    "metrics_file": {"errors", "metrics", "progress", "report"},
    "progress": {"bottleneck", "metrics"},
    "progress_bar": {"metrics", "progress"},
    "preview": set(),
    "summary": {
        "bottleneck",
        "extract.member",
        "extract.mends",
        "metrics",
        "preview",
        "progress",
        "reject_line",
        "report",
        "shell_text",
    },
    "ledger_reports": {"errors", "report"},
    "originals": CONTRACTS | {"extract", "fingerprints", "loading.documents", "loading.ledger_reading"},
    "reject_document": CONTRACTS | {"extract"},
    "retry_feed": CONTRACTS | {"extract", "loading.ledger_reading", "loading.retries", "originals"},
    "screen": {"errors", "progress", "progress_bar"},
    "arguments": set(),
    "notices": {"loading.result_thread", "mapping"},
    "mapping": {"errors", "messages", "options", "metrics"},
    "dtd_hint": {"errors", "extract", "report", "shell_text"},
    "entities": set(),
    "extract": CONTRACTS | {"entities", "fingerprints", "native", "shell_text"},
    "transform": CONTRACTS | {"entities", "positions", "record_schema"},
    "inference": CONTRACTS | {"extract", "transform.parser"},
    "targets": CONTRACTS | {"faults", "native"},
    "engines": CONTRACTS | {"batches", "positions", "record_schema"},
    "batches": {"messages", "packs"},
    "loading": CONTRACTS
    | {
        "bloom_filter",
        "faults",
        "fingerprints",
        "measuring",
        "native",
        "positions",
        "reject_line",
        "targets.base",
        "targets.own_tables",
        "targets.reading",
    },
    "faults": set(),
    "finishing": CONTRACTS | {"faults", "fed_source", "loading.ledger", "loading.retries", "targets.base"},
    "packs": {"messages"},
    "positions": {"messages", "packs"},
    "record_schema": {"fingerprints"},
    "validation": CONTRACTS | {"inference.xsd_schema", "record_schema", "transform.validation"},
    "worker": CONTRACTS | {"batches", "extract", "transform", "engines.base", "engines.pipe", "native", "positions"},
    "parallel_coordinator": CONTRACTS | {"measuring", "engines.base", "loading.insert_queue"},
    "scaling": {"parallel_coordinator"},
    "fingerprints": set(),
    "fed_source": CONTRACTS | {"extract", "loading.ledger", "report"},
    "collection_feed": CONTRACTS
    | {"loading.stored_text", "document_places", "extract", "fed_source", "loading.ledger", "recent_documents"},
    "recent_documents": {"bloom_filter"},
    "bloom_filter": set(),
    "document_places": CONTRACTS | {"loading.ledger"},
    "patient_ledger": CONTRACTS | {"collection_feed", "loading.ledger", "loading.retries"},
    "feeding": CONTRACTS | {"collection_feed", "extract", "fed_source", "patient_ledger", "recent_documents"},
    "mapping_choice": CONTRACTS | {"allocator", "extract", "inference", "new_file", "progress", "report"},
    "native": CONTRACTS
    | {
        "entities",
        "native.families",
        "native.program",
        "native.program_codes",
        "native.program_rows",
        "positions",
        "transform",
    },
    "native.families": {"mapping", "messages", "native.program_nodes", "native.program_rows"},
    "native.program": {
        "mapping",
        "messages",
        "native.families",
        "native.program_codes",
        "native.program_columns",
        "native.program_nodes",
        "native.program_rows",
        "transform.records",
    },
    "native.program_codes": set(),
    "native.program_columns": {"mapping", "messages", "native.program_codes", "native.program_rows"},
    "native.program_nodes": {"mapping", "native.program_codes", "native.program_rows", "transform.name_tests"},
    "native.program_rows": {"mapping", "native.program_codes", "transform.mentions", "transform.name_tests"},
    "new_file": set(),
    "allocator": set(),
    "background": set(),
    "command_line": {"errors", "options", "screen", "streams"},
    "ledger_summary": {"ledger_reports", "progress", "reject_line"},
    "quiet_summary": {"ledger_reports", "report", "shell_text"},
    "ledger_commands": {
        "arguments",
        "command_line",
        "errors",
        "inspection",
        "ledger_reports",
        "ledger_summary",
        "naming",
        "options",
        "quiet_summary",
        "retrying",
        "screen",
    },
    "streams": set(),
    "tuning": CONTRACTS
    | {
        "background",
        "extract",
        "loader",
        "loading.batch_share",
        "mapping_choice",
        "naming",
        "pipeline",
        "progress",
        "report",
        "sizes",
        "stages",
        "targets",
        "validation",
    },
    "tune_command": {
        "arguments",
        "command_line",
        "errors",
        "naming",
        "new_file",
        "options",
        "screen",
        "shell_text",
        "tuning",
    },
    "cli": {"commands", "errors"},
    "commands": {
        "allocator",
        "arguments",
        "command_line",
        "ledger_commands",
        "loader",
        "options",
        "errors",
        "messages",
        "log_file",
        "metrics_file",
        "naming",
        "progress",
        "quiet_summary",
        "report",
        "screen",
        "streams",
        "summary",
        "tune_command",
    },
}
"""Which modules and folders of ours each may import, itself aside."""

JOINING = {"__init__", "inspection", "loader", "pipeline", "retrying", "running", "stages"}
"""These join the stages and may import anything."""


def _name(module: Path) -> str:
    """``loading.insert_queue`` for etl/loading/insert_queue.py."""
    return ".".join(module.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") or "__init__"


def _imports(module: Path) -> set[str]:
    """Names of our modules that a module imports, anywhere in it, ``etl.`` left out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            # `from etl import loader` imports a module, `from etl.loader import load` a name of one.
            found |= {f"etl.{alias.name}" for alias in node.names} if node.module == "etl" else {str(node.module)}
    return {name.removeprefix("etl.") for name in found if name.startswith("etl.")}


def _owner(name: str) -> str:
    return name if name in ALLOWED else name.partition(".")[0]


def _may(importer: str, imported: str) -> bool:
    allowed = ALLOWED[importer]
    return _owner(imported) == importer or imported in allowed or _owner(imported) in allowed


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_imports_go_one_way(module: Path) -> None:
    name = _name(module)
    importer = _owner(name)
    if importer in JOINING:
        return
    assert importer in ALLOWED, f"etl/{name}: say in this test what it may import"
    wrong = sorted(imported for imported in _imports(module) if not _may(importer, imported))
    assert not wrong, f"{name} imports {', '.join(wrong)}; a {importer} may see {sorted(ALLOWED[importer])}"


def test_only_the_command_line_prints_or_exits() -> None:
    ends = {"print", "exit", "quit"}
    for module in MODULES:
        if _name(module) in ("commands", "worker"):  # a worker process has an exit code too
            continue
        calls = [node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        names |= {call.attr for call in calls if isinstance(call, ast.Attribute) and ast.unparse(call) == "sys.exit"}
        assert not names & ends, f"{_name(module)} calls {names & ends}"


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_says_what_it_is_and_stays_small(module: Path) -> None:
    text = module.read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring or not text, f"{module.name} has no docstring"
    lines = text.count("\n")
    reason = "longer than 400 lines" in docstring.lower()
    assert lines <= 400 or reason, f"{module.name} has {lines} lines: 'Longer than 400 lines because ...'?"


@pytest.mark.parametrize("first", ["", "from etl.loader import load", "import etl.cli"])
def test_load_is_the_function_whatever_was_imported_first(first: str) -> None:
    code = f"{first}\nimport etl\nfrom etl import load\nassert etl.load is load and etl.load.__module__ == 'etl.loader'"
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_a_worker_imports_only_what_maps() -> None:
    """Each of them would pay for it, in memory and in the time until the first record."""
    code = "import sys, etl.worker; print(*{'sqlalchemy', 'psycopg', 'pydantic', 'rich', 'typer'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names_exist_and_are_documented() -> None:
    assert etl.__all__ == sorted(etl.__all__)
    for name in etl.__all__:
        assert getattr(etl, name).__doc__, name
    assert {"load", "check", "infer", "schema", "LoadReport", "CheckReport", "Settings", "EtlError"} <= set(etl.__all__)
