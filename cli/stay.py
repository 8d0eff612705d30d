"""Following no redirection: it would carry a token, and what is sent, to another place."""

from __future__ import annotations

from urllib import request


class Stay(request.HTTPRedirectHandler):
    """Refuses every redirection."""

    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        """Refuse."""
