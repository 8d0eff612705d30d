"""file -> Document: every key and value knows its file, line, column, end and JSON pointer."""

from __future__ import annotations

from fp8check.rules.reading import files
from fp8check.rules.reading.nodes import Document, Node, Problem, Span, Unreadable
from fp8check.rules.reading.read import read, read_script

__all__ = ["Document", "Node", "Problem", "Span", "Unreadable", "files", "read", "read_script"]
