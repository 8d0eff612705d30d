"""Stub."""

from __future__ import annotations


def render(reports, sources):
    return ""
