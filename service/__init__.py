"""The HTTP service: `fp8check serve`, or `uvicorn fp8check.service:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    app: FastAPI

__all__ = ["app"]


def __getattr__(name: str) -> object:
    """`app` is made when it is asked for: parts of this package are used without a server."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fp8check.service.application import create_app

    return create_app()
