"""The one comment of fp8check on a pull request of GitHub, or a merge request of GitLab.

It is found again by a mark at its beginning that nobody sees, among the comments of whoever the token belongs to: what
others write is never changed, whatever mark it has. Whoever has no token that may write comments gets none, which is no
failure: the check has said what it has to say.

docs.github.com/rest/issues/comments, docs.gitlab.com/api/notes
"""

from __future__ import annotations

import json
import re
from http.client import HTTPException
from typing import NamedTuple
from urllib import error, request
from urllib.parse import quote, urlsplit

from fp8check.cli.stay import Stay
from fp8check.rules.reading import Unreadable, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Variables = Mapping[str, str]
    Comment = dict[str, object]

TOKEN = "FP8CHECK_CI_TOKEN"  # noqa: S105  the name of the variable
_TIMEOUT_S = 30
_LARGEST_ANSWER = 32 << 20
_LARGEST_EVENT = 32 << 20
_A_PAGE = 100
_MOST_PAGES = 100
_MAY_NOT = (401, 403, 404)  # as GitHub and GitLab answer whoever lacks a permission
_BOT = re.compile(r"(?:project|group)_[0-9]+_bot")
_LOCAL = ("localhost", "127.0.0.1", "::1")


class NoComment(Exception):
    """There is none to write; `str()` says why. `expected`: that is as it should be, and no fault of anybody."""

    def __init__(self, why: str, *, expected: bool = True) -> None:
        super().__init__(why)
        self.expected = expected


class Comments(NamedTuple):
    """The comments of a pull or merge request.

    Attributes:
        path: where they are.
        one: where one of them is, by its id.
        change: the method that changes one.
        mine: whether a comment is by whom the token belongs to.
    """

    api: Api
    path: str
    one: Callable[[object], str]
    change: str
    mine: Callable[[Comment], bool]


def put(comments: Comments, mark: str, text: str, *, due: bool) -> str:
    """Write the comment, or change the one that is there.

    Args:
        mark: what nobody sees, and what it is found by.
        due: whether there is to be one, if there is none yet.

    Returns:
        What was done, in a few words.

    Raises:
        NoComment: it could not be written.
    """
    body = f"{mark}\n{text}"
    for one in _all(comments):
        there = str(one.get("body", "")).replace("\r\n", "\n")
        if there.startswith(mark) and comments.mine(one):
            if there.strip() == body.strip():
                return "the comment is as it was"
            comments.api.ask(comments.change, comments.one(one.get("id")), {"body": body})
            return "the comment was changed"
    if not due:
        return "nothing was found: no comment"
    comments.api.ask("POST", comments.path, {"body": body})
    return "the comment was written"


def _all(comments: Comments) -> Iterator[Comment]:
    """The comments, the oldest first."""
    for page in range(1, _MOST_PAGES + 1):
        mark = "&" if "?" in comments.path else "?"
        found = comments.api.ask("GET", f"{comments.path}{mark}per_page={_A_PAGE}&page={page}{comments.api.order}")
        if not isinstance(found, list):
            raise NoComment("the site answered no list of comments", expected=False)
        yield from (one for one in found if isinstance(one, dict))
        if len(found) < _A_PAGE:
            return


class Api:
    """The API of a site.

    Args:
        order: what has its lists begin with the oldest.
    """

    def __init__(self, url: str, headers: Mapping[str, str], order: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOCAL:
            raise NoComment("the address of the API is no https: the token would travel unencrypted", expected=False)
        self.order = order
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "User-Agent": "fp8check", **headers}
        self._opener = request.build_opener(Stay())

    def ask(self, method: str, path: str, data: Mapping[str, object] | None = None) -> object:
        """What it answers.

        Raises:
            NoComment: it refuses, fails, or does not answer.
        """
        content = None if data is None else json.dumps(data).encode()
        asked = request.Request(self._url + path, content, self._headers, method=method)  # noqa: S310  see above
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                return json.loads(answer.read(_LARGEST_ANSWER))
        except error.HTTPError as refused:
            with refused:
                may_not = refused.code in _MAY_NOT
                why = "the token may not" if may_not else "the site refused"
                raise NoComment(f"{why} ({method} comments: HTTP {refused.code})", expected=may_not) from None
        except (OSError, HTTPException, ValueError, RecursionError) as failed:
            reason = getattr(failed, "reason", failed)
            raise NoComment(f"the site did not answer: {reason}", expected=False) from None


def of_github(variables: Variables) -> Comments:
    """The comments of the pull request that the job is of.

    Raises:
        NoComment: it is of none, or its token may write nothing.
    """
    number = _pull_request(variables).get("number")
    if not isinstance(number, int):
        raise NoComment("this is no pull request")
    if is_from_a_fork(variables):
        raise NoComment("the pull request comes from a fork, whose token may not")
    repository = variables.get("GITHUB_REPOSITORY", "")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) is None:
        raise NoComment("GITHUB_REPOSITORY names no repository", expected=False)
    headers = {
        "Authorization": f"Bearer {_token(variables)}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    api = Api(variables.get("GITHUB_API_URL") or "https://api.github.com", headers)
    issues = f"/repos/{repository}/issues"
    own = _who(api).get("login")

    def mine(comment: Comment) -> bool:
        user = comment.get("user")
        login = user.get("login") if isinstance(user, dict) else None
        # The token of a job belongs to an app, which the API does not tell by name; nobody else's has brackets.
        return login == own if own else login is None or str(login).endswith("[bot]")

    return Comments(api, f"{issues}/{number}/comments", lambda id_: f"{issues}/comments/{id_}", "PATCH", mine)


def of_gitlab(variables: Variables) -> Comments:
    """The comments of the merge request that the job is of.

    Raises:
        NoComment: it is of none, or there is no token.
    """
    number = variables.get("CI_MERGE_REQUEST_IID", "")
    project = variables.get("CI_MERGE_REQUEST_PROJECT_ID") or variables.get("CI_PROJECT_ID", "")
    if not number.isdecimal():
        raise NoComment("this is no pipeline of a merge request")
    if not project:
        raise NoComment("CI_PROJECT_ID names no project", expected=False)
    headers = {"PRIVATE-TOKEN": _token(variables)}
    api = Api(variables.get("CI_API_V4_URL", ""), headers, "&order_by=created_at&sort=asc")
    own = _who(api).get("id")

    def mine(comment: Comment) -> bool:
        author = comment.get("author")
        if not isinstance(author, dict):
            return own is None
        # docs.gitlab.com/user/project/settings/project_access_tokens, "Bot users for projects"
        return author.get("id") == own if own else bool(_BOT.match(str(author.get("username"))))

    notes = f"/projects/{quote(project, safe='')}/merge_requests/{number}/notes"
    return Comments(api, notes, lambda id_: f"{notes}/{id_}", "PUT", mine)


SITES: Mapping[str, Callable[[Variables], Comments]] = {"github": of_github, "gitlab": of_gitlab}


def is_from_a_fork(variables: Variables) -> bool:
    """Whether a job of GitHub is of a pull request from another repository: its token reads only.

    One of pull_request_target has a token that writes; what it checks out is for its author to know.
    """
    if variables.get("GITHUB_EVENT_NAME") == "pull_request_target":
        return False
    pull = _pull_request(variables)
    head, base = _repository(pull.get("head")), _repository(pull.get("base"))
    if head is None:  # it is gone
        return base is not None
    name, other = head.get("full_name"), None if base is None else base.get("full_name")
    return bool(head.get("fork")) if name is None or other is None else name != other


def _repository(side: object) -> Mapping[str, object] | None:
    """The repository of a side of a pull request; None where it is not told, or gone."""
    found = side.get("repo") if isinstance(side, dict) else None
    return found if isinstance(found, dict) else None


def _pull_request(variables: Variables) -> Mapping[str, object]:
    """The pull request of the event that started the job; empty where there is none."""
    path = variables.get("GITHUB_EVENT_PATH")
    try:
        event = json.loads(files.read_if_there(path, _LARGEST_EVENT) or b"{}") if path else {}
    except (Unreadable, ValueError, RecursionError):
        return {}
    found = event.get("pull_request") if isinstance(event, dict) else None
    return found if isinstance(found, dict) else {}


def _token(variables: Variables) -> str:
    token = variables.get(TOKEN, "").strip()
    if not token:
        raise NoComment("there is no token")
    return token


def _who(api: Api) -> Mapping[str, object]:
    """Whose token it is; nothing for that of an app, as a job's own, which the API refuses to tell."""
    try:
        user = api.ask("GET", "/user")
    except NoComment:
        return {}
    return user if isinstance(user, dict) else {}
