"""A report that was made in another folder, with its files as they are seen from here."""

from __future__ import annotations

import os

from fp8check.rules.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from fp8check.rules.report.schema import Report

    Made = TypeVar("Made", bound=Record)

# The fields of a report that hold the name of a file (rules/report/schema.py).
_NAMES = ("file", "path")


def moved(report: Report, folder: str) -> Report:
    """The same report with this folder before all names of files; what texts say stays."""
    return _moved_record(report, folder) if folder else report


def name_from(folder: str, name: str) -> str:
    """The name of a file that is seen from this folder, as it is seen from here."""
    return os.path.normpath(os.path.join(folder, name)) if folder else name


def _moved_record(record: Made, folder: str) -> Made:
    changed = {name: _moved(name, value, folder) for name, value in record.__dict__.items()}
    return record._replace(**changed)


def _moved(name: str, value: object, folder: str) -> object:
    if isinstance(value, str):
        return name_from(folder, value) if name in _NAMES else value
    if isinstance(value, tuple):
        return tuple(_moved("", one, folder) for one in value)
    return _moved_record(value, folder) if isinstance(value, Record) else value
