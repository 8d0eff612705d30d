"""Directories and the hub's cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8check.rules.models import find, search
from fp8check.rules.models.find import config_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 96,
}


def write_config(folder: Path, text: str | None = None) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(TINY) if text is None else text, encoding="utf-8")


def write_cached(hub: Path, name: str, commit: str = COMMIT) -> None:
    folder = hub / f"models--{name.replace('/', '--')}"
    write_config(folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit, encoding="ascii")


def test_directory_beside_the_file_that_names_it(tmp_path: Path) -> None:
    write_config(tmp_path / "models" / "mine")
    shape = find("models/mine", base=str(tmp_path), environ={})
    assert shape is not None
    assert (shape.source, shape.hidden, shape.kv_heads, shape.head_dim) == ("config.json", 64, 4, 16)
    absolute = find(str(tmp_path / "models" / "mine"), base="/", environ={})
    assert absolute is not None


def test_directory_in_the_home(tmp_path: Path) -> None:
    write_config(tmp_path / "mine")
    assert find("~/mine", base="/", environ={"HOME": str(tmp_path)}) is not None


@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("HF_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HOME", ".cache/huggingface/hub"),
    ],
)
def test_hub_cache(variable: str, below: str, tmp_path: Path) -> None:
    write_cached(tmp_path / below, "me/tiny")
    shape = find("me/tiny", base=str(tmp_path / "elsewhere"), environ={variable: str(tmp_path)})
    assert shape is not None
    assert shape.source == "hub cache"


def test_the_first_variable_decides(tmp_path: Path) -> None:
    write_cached(tmp_path / "hub", "me/tiny")
    environ = {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "empty")}
    assert find("me/tiny", base=str(tmp_path / "elsewhere"), environ=environ) is None


@pytest.mark.parametrize("commit", ["../../../../etc", "", "main", "0123"])
def test_a_reference_that_names_no_commit_leads_nowhere(commit: str, tmp_path: Path) -> None:
    write_cached(tmp_path / "hub", "me/tiny", commit)
    assert find("me/tiny", base=str(tmp_path / "elsewhere"), environ={"HF_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("name", ["../secret", "a/../../b", "\0", "a/b/c", "https://host/model"])
def test_names_that_are_no_models(name: str, tmp_path: Path) -> None:
    found = search(name, base=str(tmp_path), environ={"HF_HOME": str(tmp_path)})
    assert found.shape is None
    assert len(found.reasons) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "not an object"),
        ("{}", "model_type is missing"),
        ('{"model_type": "llama", "hidden_size": "big"}', "hidden_size must be a whole number"),
        ("[" * 100_000, "nested too deeply"),
        (" " * (1024 * 1024 + 1), "larger than 1,048,576 bytes"),
        ('"\udc80"'.encode("utf-8", "surrogatepass").decode("latin-1"), "not an object"),
    ],
)
def test_a_config_that_cannot_be_used_says_why(text: str, reason: str, tmp_path: Path) -> None:
    write_config(tmp_path / "mine", text)
    found = search("mine", base=str(tmp_path), environ={})
    assert found.shape is None
    assert reason in found.reasons[0]


def test_a_directory_hides_the_table(tmp_path: Path) -> None:
    """transformers would read the same directory, so its config.json counts, even where it is broken."""
    write_config(tmp_path / "Qwen" / "Qwen2.5-7B", "{}")
    assert find("Qwen/Qwen2.5-7B", base=str(tmp_path), environ={}) is None


def test_a_broken_file_in_the_cache_leaves_the_table(tmp_path: Path) -> None:
    write_cached(tmp_path / "hub", "Qwen/Qwen2.5-7B")
    (tmp_path / "hub" / "models--Qwen--Qwen2.5-7B" / "snapshots" / COMMIT / "config.json").write_text("{")
    found = search("Qwen/Qwen2.5-7B", base=str(tmp_path), environ={"HF_HOME": str(tmp_path)})
    assert found.shape is not None
    assert found.shape.source == "table"
    assert found.reasons[0].startswith("config.json of Qwen/Qwen2.5-7B: ")
    assert found.unread == found.reasons[0]  # the run would take the broken one: what the table says is no answer


@pytest.mark.parametrize("name", ["", "../x", "nobody/has-this", "a b"])
def test_no_config_file_of_what_is_not_here(name: str, tmp_path: Path) -> None:
    assert config_file(name, base=str(tmp_path), environ={"HF_HOME": str(tmp_path)}) is None


def test_the_config_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "config.json"
    path.write_text("{}")
    assert config_file("mine", base=str(tmp_path), environ={}) == str(path)
