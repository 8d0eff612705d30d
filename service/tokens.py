"""Tokens: who may do what. Only hashes are kept; a token is shown once, when it is made.

A token is 256 random bits, so that a plain SHA-256 of it cannot be guessed back; passwords would need more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import stat
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
_OF_PROXIES = frozenset(
    {
        *(b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-original-forwarded-for"),
        *(b"x-original-host", b"x-envoy-external-address", b"true-client-ip", b"cf-connecting-ip", b"fastly-client-ip"),
    }
)
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
        BadTokens: the file cannot be read, a line of it not be understood, or there is none: a service that was given
            tokens is not to be open.
    """
    try:
        text = files.read(str(path), _LARGEST_FILE).decode("utf-8-sig")
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
    if not tokens:
        raise BadTokens(
            f"{path} holds no token, and the service would be open to everybody. fp8check serve --new-token NAME makes "
            "one, and prints its line for the file; without FP8CHECK_TOKENS_FILE only this machine is served"
        )
    return tuple(tokens)


def exposure(path: Path) -> str | None:
    """What others of this machine can do with the file, in words; None: nothing.

    Raises:
        OSError: it cannot be looked at.
    """
    if os.name != "posix":
        return None
    status = path.stat()
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user, who can add tokens"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write {path}, and add tokens: chmod 600 {path}"
    if status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"others can read {path}, which says who may do what: chmod 600 {path}"
    return None


def _token(words: list[str]) -> Token:
    if len(words) != len(Token._fields):
        raise BadTokens(f"{len(words)} words where {len(Token._fields)} are due")
    name, scopes, until, mark = words
    kind, _, digest = mark.partition(":")
    if kind != "sha256" or len(digest) != 64:
        raise BadTokens("the hash is no sha256:HEX")
    expires = None if until == NEVER else _day(until)
    return _checked(Token(name, frozenset(scopes.split(",")), expires, bytes.fromhex(digest)))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:  # its own message repeats the word, which may be a token in the wrong place
        raise BadTokens(f"the third word is no day as YYYY-MM-DD, nor {NEVER}") from None


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
    """Tells who asks. `tokens`: None where no tokens file is named; then only this machine is served."""

    def __init__(self, tokens: tuple[Token, ...] | None) -> None:
        self.is_open = tokens is None
        self._tokens = tokens or ()

    def caller(self, scope: Scope, headers: Headers) -> Caller:
        """Who sends this request.

        Raises:
            Problem: no token, or one that is unknown or expired; or, without tokens, another machine asks.
        """
        if self.is_open:
            foreign = _foreign(scope)
            if foreign is None:
                return LOCAL
            detail = f"this service has no tokens, so it serves only its own machine, and {foreign}; "
            raise Problem("token", detail + "see FP8CHECK_TOKENS_FILE", headers=_CHALLENGE)
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


def _foreign(scope: Scope) -> str | None:
    """Why a request is not taken for one of this machine, in words; None: both ends of its connection are, and nothing
    says that a proxy passed it on. Who speaks over a Unix socket is not known, and most often a proxy."""
    for end in ("client", "server"):
        address = scope.get(end)
        if address is None or not is_loopback(address[0]):
            return "the connection is not one of this machine"
    for name, _ in scope["headers"]:
        if name in _OF_PROXIES or name.startswith(b"x-forwarded"):
            return f"the header {name.decode('latin-1')} says that a proxy passed this on"
    if scope.get("http_version") == "1.0":
        return "HTTP/1.0 is what proxies speak"  # nginx does, and as it comes it sends no header that tells
    return None


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
