"""Transformer Engine's parts, and a real import of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fp8check.rules.facts import BadInterpreter, Facts, engine, import_check, misfits
from tests.support.trees import script, write

CORE_FILE = "transformer_engine/wheel_lib/libtransformer_engine.so"
TORCH_FILE = "transformer_engine_torch.cpython-311-x86_64-linux-gnu.so"


def packages(
    metapackage: str | None = None,
    cu12: str | None = None,
    cu13: str | None = None,
    torch: str | None = None,
) -> dict[str, str | None]:
    return {
        "transformer_engine": metapackage,
        "transformer_engine_cu12": cu12,
        "transformer_engine_cu13": cu13,
        "transformer_engine_torch": torch,
    }


def kinds(site: Path, installed: dict[str, str | None], cuda: str | None = "13.0") -> list[str] | None:
    """What misfits() says of these packages and of the files in `site`."""
    found = misfits(Facts(transformer_engine=engine.parts(installed, [str(site)]), cuda={"torch": cuda}))
    return None if found is None else [misfit.kind for misfit in found]


def test_all_parts(tmp_path: Path) -> None:
    write(tmp_path / CORE_FILE)
    write(tmp_path / TORCH_FILE)
    installed = packages("2.9.0", cu13="2.9.0", torch="2.9.0")
    assert engine.parts(installed, [str(tmp_path)]) == {
        "metapackage": "2.9.0",
        "core": {"cu13": "2.9.0"},
        "torch_extension": "2.9.0",
        "core_library": "libtransformer_engine.so",
        "torch_library": TORCH_FILE,
        "imports": None,
        "error": None,
    }


def test_built_from_source_in_one_package(tmp_path: Path) -> None:
    """As in NVIDIA's containers: one package, both libraries beside it."""
    write(tmp_path / "libtransformer_engine.so")
    write(tmp_path / TORCH_FILE)
    parts = engine.parts(packages("2.9.0+70f5366"), [str(tmp_path)])
    assert (parts["core"], parts["torch_extension"]) == ({}, None)
    assert (parts["core_library"], parts["torch_library"]) == ("libtransformer_engine.so", TORCH_FILE)
    assert kinds(tmp_path, packages("2.9.0+70f5366")) == []


@pytest.mark.parametrize(
    ("file", "core", "torch"),
    [
        (CORE_FILE, "libtransformer_engine.so", None),
        ("transformer_engine/libtransformer_engine.so", "libtransformer_engine.so", None),
        (f"transformer_engine/wheel_lib/{TORCH_FILE}", None, TORCH_FILE),
        ("transformer_engine/libother.so", None, None),
    ],
)
def test_compiled_files(file: str, core: str | None, torch: str | None, tmp_path: Path) -> None:
    write(tmp_path / file)
    parts = engine.parts(packages("2.9.0"), [str(tmp_path / "nowhere"), str(tmp_path)])
    assert (parts["core_library"], parts["torch_library"]) == (core, torch)


@pytest.mark.parametrize(
    ("installed", "core"),
    [
        (packages("2.9.0"), {}),
        (packages("2.9.0", cu12="2.9.0"), {"cu12": "2.9.0"}),
        (packages("2.9.0", cu12="2.8.0", cu13="2.9.0"), {"cu12": "2.8.0", "cu13": "2.9.0"}),
    ],
)
def test_core_packages(installed: dict[str, str | None], core: dict[str, str], tmp_path: Path) -> None:
    assert engine.parts(installed, [str(tmp_path)])["core"] == core


@pytest.mark.parametrize(
    ("installed", "files", "found"),
    [
        (packages(), (), []),
        (packages("2.9.0"), (), ["no core", "no torch extension"]),
        (packages("2.9.0", cu13="2.9.0"), (CORE_FILE,), ["no torch extension"]),
        (packages("2.9.0", cu13="2.9.0", torch="2.9.0"), (TORCH_FILE,), ["core library missing"]),
        (packages("2.9.0", cu13="2.9.0", torch="2.9.0"), (CORE_FILE,), ["torch library missing"]),
        (packages(cu12="2.8.0"), (CORE_FILE,), ["no metapackage"]),
        (packages("2.9.0", cu13="2.8.0", torch="2.9.0"), (CORE_FILE, TORCH_FILE), ["versions differ"]),
        (packages("2.9.0", cu13="2.9.0", torch="2.8.0+cu13"), (CORE_FILE, TORCH_FILE), ["versions differ"]),
        (packages("2.9.0", cu13="2.9.0", torch="2.9.0+cu13"), (CORE_FILE, TORCH_FILE), []),
        (packages("2.9.0", cu12="2.9.0", torch="2.9.0"), (CORE_FILE, TORCH_FILE), ["cuda differs"]),
        (packages("2.9.0", cu12="2.9.0", cu13="2.9.0", torch="2.9.0"), (CORE_FILE, TORCH_FILE), []),
    ],
)
def test_misfits(installed: dict[str, str | None], files: tuple[str, ...], found: list[str], tmp_path: Path) -> None:
    for file in files:
        write(tmp_path / file)
    assert kinds(tmp_path, installed) == found


@pytest.mark.parametrize("cuda", [None, "12.8"])
def test_the_cuda_release_is_compared_where_it_is_known(cuda: str | None, tmp_path: Path) -> None:
    write(tmp_path / CORE_FILE)
    write(tmp_path / TORCH_FILE)
    assert kinds(tmp_path, packages("2.9.0", cu12="2.9.0", torch="2.9.0"), cuda) == []


def test_what_is_not_known_has_no_key(tmp_path: Path) -> None:
    parts = engine.parts({"transformer_engine": "2.9.0"}, [str(tmp_path)])
    assert "core" not in parts
    assert "torch_extension" not in parts
    assert misfits(Facts(transformer_engine=parts)) is None
    assert misfits(Facts()) is None


def test_compiled_files_are_not_absent_where_their_folder_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "transformer_engine").symlink_to("transformer_engine")
    parts = engine.parts({"transformer_engine": "2.9.0"}, [str(tmp_path)])
    assert "core_library" not in parts
    assert "torch_library" not in parts
    write(tmp_path / TORCH_FILE.rpartition("/")[2])
    assert engine.parts({}, [str(tmp_path)])["torch_library"] is not None


def fake_engine(folder: Path, text: str) -> dict[str, str]:
    write(folder / "transformer_engine" / "__init__.py")
    write(folder / "transformer_engine" / "pytorch.py", text)
    return {"PYTHONPATH": str(folder), "HOME": str(folder)}


@pytest.mark.parametrize(
    ("text", "imports", "error"),
    [
        ("", True, None),
        ("raise OSError('undefined symbol: x')", False, "OSError: undefined symbol: x"),
        ("raise OSError(f'no {__file__}')", False, "OSError: no ~/transformer_engine/pytorch.py"),
        ("import os; os.abort()", False, "killed by signal 6"),
        ("import time; time.sleep(5)", None, "the import did not end within 0.5 s"),
        ("while True: print('x' * 9999)", None, "the import printed more than 4194304 bytes on standard output"),
        ("import os; os.kill(os.getppid(), 9)", None, "the import was ended by something else"),
    ],
)
def test_a_real_import(text: str, imports: bool | None, error: str | None, tmp_path: Path) -> None:
    limit = 0.5 if "sleep" in text else 60
    result = import_check(sys.executable, fake_engine(tmp_path, text), timeout_s=limit)
    assert (result.imports, result.error) == (imports, error)


def test_a_real_import_without_the_package(tmp_path: Path) -> None:
    result = import_check(sys.executable, {"PYTHONPATH": str(tmp_path)})
    assert (result.imports, result.error) == (False, "ModuleNotFoundError: No module named 'transformer_engine'")


def test_a_real_import_without_an_interpreter(tmp_path: Path) -> None:
    with pytest.raises(BadInterpreter, match="cannot be started"):
        import_check(str(tmp_path / "python"))
    result = import_check(script(tmp_path / "python", "exit 0"))
    assert (result.imports, result.error) == (True, None)
