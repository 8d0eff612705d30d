"""Logs: one line an event, for programs (JSON) or for people; never a body, a token or a variable's value."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from functools import lru_cache
from typing import TYPE_CHECKING

import structlog

from fp8check.rules.credentials import masked
from fp8check.rules.plain_text import shown

if TYPE_CHECKING:
    from fp8check.service.settings import Settings


def configure(settings: Settings) -> None:
    """Send logs to standard error, as the settings say."""
    level = getattr(logging, settings.log_level.upper())
    as_json = settings.log_format == "json"
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _readable,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Stream(),
        cache_logger_on_first_use=True,
    )
    # Libraries write through logging; their messages may quote what was sent: only where they come from is logged.
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


def _readable(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What is not seen is written out: a log is read in terminals."""
    return {name: _clean(value) if isinstance(value, str) else value for name, value in event.items()}


@lru_cache(maxsize=512)
def _clean(text: str) -> str:
    """Most texts of most lines are the same."""
    return shown(masked(text))


class _Stream:
    """Standard error as far as it takes something: no request fails because its line finds the disk full."""

    def msg(self, line: str) -> None:
        """Write a line."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = msg


class _Libraries(logging.Handler):
    """Passes on that a library has something to say, and where, not what: a message may hold what was sent."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().warning(
            "library",
            logger=record.name,
            level_of=record.levelname,
            place=f"{record.module}:{record.lineno}",
            error=kind.__name__ if kind is not None else None,
        )


def frames(error: BaseException) -> list[str]:
    """Where an error was raised, without its message and without source lines: both may hold what was sent."""
    stack = traceback.extract_tb(error.__traceback__)
    return [
        f"{frame.filename.rpartition('fp8check')[2] or frame.filename}:{frame.lineno} {frame.name}"
        for frame in stack[-12:]
    ]
