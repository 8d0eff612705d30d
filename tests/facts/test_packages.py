"""Versions from the names of metadata folders, as importlib.metadata would answer."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fp8check.rules.facts import packages
from tests.support.trees import install, write


def scan(*folders: Path) -> packages.Scan:
    return packages.scan([str(folder) for folder in folders])


def test_found_and_known_to_be_absent(tmp_path: Path) -> None:
    install(tmp_path, "torch-2.8.0+cu128", "accelerate-1.15.0", "nvidia_cudnn_cu12-9.10.2.21", "requests-2.32.0")
    found = scan(tmp_path)
    assert found.versions["torch"] == "2.8.0+cu128"
    assert found.versions["accelerate"] == "1.15.0"
    assert found.versions["nvidia_cudnn_cu12"] == "9.10.2.21"
    assert found.versions["torchao"] is None
    assert "requests" not in found.versions
    assert (found.duplicates, found.notes) == ({}, [])


@pytest.mark.parametrize(
    ("entry", "name", "version"),
    [
        ("ms_amp-0.4.0.dist-info", "msamp", "0.4.0"),
        ("MS-AMP-0.4.0.dist-info", "msamp", "0.4.0"),
        ("llamafactory-0.9.5.dist-info", "llamafactory", "0.9.5"),
        ("megatron.core-0.14.0.dist-info", "megatron_core", "0.14.0"),
        ("transformer_engine-2.9.0-py3.11.egg-info", "transformer_engine", "2.9.0"),
        ("deepspeed-0.18.9-py3.11-linux-x86_64.egg-info", "deepspeed", "0.18.9"),
        ("Torch-2.8.0.DIST-INFO", "torch", "2.8.0"),
    ],
)
def test_names_of_metadata(entry: str, name: str, version: str, tmp_path: Path) -> None:
    (tmp_path / entry).mkdir()
    for module in ("msamp", "llamafactory", "megatron", "transformer_engine", "deepspeed", "torch"):
        (tmp_path / module).mkdir()
    assert scan(tmp_path).versions[name] == version


def test_the_first_folder_wins_and_what_is_behind_it_is_no_duplicate(tmp_path: Path) -> None:
    """So PYTHONPATH puts a package in front of another on purpose: its code and its metadata count."""
    install(tmp_path / "in front", "accelerate-1.9.0")
    install(tmp_path / "system", "accelerate-1.15.0")
    found = scan(tmp_path / "in front", tmp_path / "system")
    assert found.versions["accelerate"] == "1.9.0"
    assert (found.duplicates, found.notes) == ({}, [])


def test_two_versions_in_one_folder_are_told_of(tmp_path: Path) -> None:
    install(tmp_path, "torchao-0.17.0")
    install(tmp_path, "torchao-0.14.1")
    found = scan(tmp_path)
    (versions,) = found.duplicates.values()
    assert sorted(versions) == ["0.14.1", "0.17.0"]
    assert found.notes == [f"torchao has metadata of several versions: {', '.join(versions)}"]


def test_a_folder_that_is_on_the_path_twice_is_no_duplicate(tmp_path: Path) -> None:
    install(tmp_path, "torch-2.8.0")
    assert scan(tmp_path, tmp_path).duplicates == {}


def test_metadata_without_its_package_counts_as_absent(tmp_path: Path) -> None:
    """Accelerate asks for both: find_spec() and the metadata (utils/imports.py _is_package_available)."""
    install(tmp_path, "torchao-0.13.0", importable=False)
    found = scan(tmp_path)
    assert found.versions["torchao"] is None
    assert found.notes == ["torchao 0.13.0 has metadata, but there is no package to import"]


def test_editable_installations_can_be_imported(tmp_path: Path) -> None:
    install(tmp_path, "torchao-0.13.0", importable=False)
    url = tmp_path / "torchao-0.13.0.dist-info" / "direct_url.json"
    write(url, '{"dir_info": {"editable": true}, "url": "file:///src/ao"}')
    assert scan(tmp_path).versions["torchao"] == "0.13.0"
    write(url, '{"dir_info": {}, "url": "file:///src/ao"}')
    assert scan(tmp_path).versions["torchao"] is None


def test_metadata_that_does_not_tell_where_its_package_is(tmp_path: Path) -> None:
    """Unreadable is not absent: nothing is said of that package."""
    install(tmp_path, "torchao-0.13.0", importable=False)
    (tmp_path / "torchao-0.13.0.dist-info" / "direct_url.json").symlink_to("direct_url.json")
    found = scan(tmp_path)
    assert "torchao" not in found.versions
    assert found.notes == [
        "whether torchao can be imported is not known: too many levels of symbolic links: direct_url.json"
    ]


def test_a_package_in_development_names_its_version_inside(tmp_path: Path) -> None:
    write(
        tmp_path / "accelerate.egg-info" / "PKG-INFO", "Metadata-Version: 2.1\nName: accelerate\nVersion: 1.16.0.dev0\n"
    )
    (tmp_path / "accelerate").mkdir()
    assert scan(tmp_path).versions["accelerate"] == "1.16.0.dev0"


def test_metadata_without_a_version_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "accelerate.egg-info").mkdir()
    (tmp_path / "accelerate").mkdir()
    found = scan(tmp_path)
    assert found.versions["accelerate"] == "unknown"
    assert found.notes == ["the metadata of accelerate names no version"]


def test_eggs_packed_and_unpacked(tmp_path: Path) -> None:
    unpacked = tmp_path / "trl-1.16.0-py3.11.egg"
    (unpacked / "EGG-INFO").mkdir(parents=True)
    (unpacked / "trl").mkdir()
    packed = write(tmp_path / "peft-0.21.0-py3.11.egg")
    found = scan(unpacked, packed)
    assert (found.versions["trl"], found.versions["peft"]) == ("1.16.0", "0.21.0")


def test_leftovers_of_an_interrupted_upgrade(tmp_path: Path) -> None:
    (tmp_path / "~orch-2.7.0.dist-info").mkdir()
    found = scan(tmp_path)
    assert found.versions["torch"] is None
    assert found.notes == ["~orch: left behind by an interrupted installation"]


@pytest.mark.parametrize("entry", ["~ebra-1.0.dist-info", ".dist-info"])
def test_leftovers_of_others_and_metadata_without_a_name_are_passed_over(entry: str, tmp_path: Path) -> None:
    (tmp_path / entry).mkdir()
    found = scan(tmp_path)
    assert found.notes == []
    assert {version for version in found.versions.values() if version is not None} == set()


def test_folders_that_do_not_exist_are_normal(tmp_path: Path) -> None:
    assert scan(tmp_path / "nowhere", tmp_path / "python311.zip").notes == []


def test_after_a_folder_that_cannot_be_read_nothing_is_known_to_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "readable", "torch-2.8.0")
    real = packages._entries

    def refuse(folder: str) -> object:
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(packages, "_entries", refuse)
    found = scan(tmp_path / "readable", tmp_path / "locked")
    assert found.versions == {"torch": "2.8.0"}
    assert found.notes == ["a folder of sys.path could not be read: Permission denied"]


def test_the_standard_library_gives_the_same_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this very environment, for packages that the tests themselves need."""
    monkeypatch.setattr(packages, "WATCHED", {"pytest": "pytest", "hypothesis": "hypothesis", "pyyaml": "yaml"})
    versions = packages.scan([folder for folder in sys.path if folder]).versions
    assert versions == {name: importlib.metadata.version(name) for name in versions}
    assert len(versions) >= 3


@given(st.from_regex(r"[A-Za-z0-9~][\w.-]{0,12}\.(dist|egg)-info", fullmatch=True))
def test_the_short_way_parts_a_name_as_the_pattern_does(entry: str) -> None:
    match = re.fullmatch(packages._METADATA, entry)
    assert packages._parted(entry) == ((match["name"], match["version"]) if match is not None else ("", None))


@given(st.text("aB1-._", min_size=1, max_size=8))
def test_a_name_without_separators_is_only_put_in_lower_case(name: str) -> None:
    assert packages.normalized(name) == re.sub(packages._SEPARATORS, "_", name).lower()


def test_metadata_alone_is_nothing_to_import(tmp_path: Path) -> None:
    info = tmp_path / "peft.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Name: peft\nVersion: 0.19.0\n")
    found = packages.scan([str(tmp_path)])
    assert found.versions["peft"] is None
    assert "peft 0.19.0 has metadata, but there is no package to import" in found.notes
    (tmp_path / "peft").mkdir()
    assert packages.scan([str(tmp_path)]).versions["peft"] == "0.19.0"
