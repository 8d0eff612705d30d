"""Tokens: who may do what. Only hashes are kept; a token is shown once, when it is made.

A token is 256 random bits, so that a plain SHA-256 of it cannot be guessed back; passwords would need more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
import secrets
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.reading import Unreadable, files
from fp8check.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from starlette.datastructures import Headers
    from starlette.types import Scope

SCOPES = ("check", "probe", "read")
MARK = "fp8c_"  # so that scanners for leaked secrets can tell one
NEVER = "never"
_LARGEST_FILE = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="fp8check", Basic realm="fp8check", charset="UTF-8"'}


class BadTokens(ValueError):
    """A line of the tokens file that cannot be understood: nothing is served with half of the tokens."""


class Token(NamedTuple):
    """One line of the tokens file. `expires` is the first day on which it is not accepted; None: never."""

    name: str
    scopes: frozenset[str]
    expires: date | None
    digest: bytes

    def line(self) -> str:
        """As it stands in the file."""
        until = NEVER if self.expires is None else self.expires.isoformat()
        return f"{self.name} {','.join(sorted(self.scopes))} {until} sha256:{self.digest.hex()}"


class Caller(NamedTuple):
    """Who asks, and what they may do."""

    name: str
    scopes: frozenset[str]

    def need(self, scope: str) -> None:
        """Raises Problem where the caller may not do that."""
        if scope not in self.scopes:
            raise Problem(
                "scope", f"the scope {scope} is needed; this token has {', '.join(sorted(self.scopes)) or 'none'}"
            )


LOCAL = Caller("local", frozenset(SCOPES))


def make(name: str, scopes: Iterable[str], days: int | None) -> tuple[str, Token]:
    """A new token: the secret, to be shown once, and its line.

    Raises:
        BadTokens: the name or a scope is none.
    """
    secret = MARK + secrets.token_urlsafe(32)
    expires = None if days is None else today() + timedelta(days=days)
    return secret, _checked(Token(name, frozenset(scopes), expires, _digest(secret)))


def load(path: Path) -> tuple[Token, ...]:
    """The tokens of a file.

    Raises:
        BadTokens: the file cannot be read, or a line of it not be understood.
    """
    try:
        text = files.read(str(path), _LARGEST_FILE).decode("utf-8")
    except Unreadable as error:
        raise BadTokens(str(error)) from None
    except UnicodeDecodeError:
        raise BadTokens(f"{path}: not UTF-8") from None
    tokens = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            tokens.append(_token(words))
        except ValueError as error:
            raise BadTokens(f"{path}:{number}: {error}; a line is NAME SCOPES EXPIRES sha256:HEX") from None
    return tuple(tokens)


def _token(words: list[str]) -> Token:
    name, scopes, until, mark = words
    kind, _, digest = mark.partition(":")
    if kind != "sha256" or len(digest) != 64:
        raise BadTokens("the hash is no sha256:HEX")
    expires = None if until == NEVER else date.fromisoformat(until)
    return _checked(Token(name, frozenset(scopes.split(",")), expires, bytes.fromhex(digest)))


def _checked(token: Token) -> Token:
    if _NAME.fullmatch(token.name) is None:
        raise BadTokens("a token's name is made of letters, digits and ._-")
    wrong = token.scopes - set(SCOPES)
    if wrong or not token.scopes:
        raise BadTokens(f"no such scope: {', '.join(sorted(wrong)) or '(none)'}; there are {', '.join(SCOPES)}")
    return token


def today() -> date:
    """The day, in UTC."""
    return datetime.now(timezone.utc).date()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


class Gate:
    """Tells who asks."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens

    @property
    def is_open(self) -> bool:
        """Whether there are no tokens: then only this machine is served."""
        return not self._tokens

    def caller(self, scope: Scope, headers: Headers) -> Caller:
        """Who sends this request.

        Raises:
            Problem: no token, or one that is unknown or expired; or, without tokens, another machine asks.
        """
        if self.is_open:
            if _is_local(scope):
                return LOCAL
            detail = "this service has no tokens, so it serves only its own machine; see FP8CHECK_TOKENS_FILE"
            raise Problem("token", detail, headers=_CHALLENGE)
        secret = _secret(headers.get("authorization"))
        if secret is None:
            raise Problem("token", "no token was sent", headers=_CHALLENGE)
        digest = _digest(secret)
        # All are compared, each in constant time: how long it takes says nothing.
        found = [token for token in self._tokens if hmac.compare_digest(token.digest, digest)]
        if not found:
            raise Problem("token", "this token is not known", headers=_CHALLENGE)
        if found[0].expires is not None and found[0].expires <= today():
            raise Problem("token", f"this token expired on {found[0].expires}", headers=_CHALLENGE)
        return Caller(found[0].name, found[0].scopes)


def _is_local(scope: Scope) -> bool:
    """Whether both ends of the connection are this machine. A Unix socket has no server address, and is local."""
    ends = [end[0] for end in (scope.get("server"), scope.get("client")) if end is not None]
    return all(is_loopback(end) for end in ends)


def is_loopback(host: str) -> bool:
    """Whether an address, or a name of this machine, can only be reached from this machine."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _secret(authorization: str | None) -> str | None:
    """The token in the header: Bearer, or Basic with any user, which is what a browser can ask for."""
    kind, _, value = (authorization or "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip() or None
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2] or None
        except (binascii.Error, ValueError):
            return None
    return None
