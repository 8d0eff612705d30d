"""/rules and /environment."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, JsonValue

from fp8check.rules.catalog import RULES, find
from fp8check.service.problems import Problem
from fp8check.service.routes.common import ALWAYS, SECURED, TheCaller, TheService, problems

if TYPE_CHECKING:
    from fp8check.rules.engine.definition import Rule

router = APIRouter(tags=["knowledge"])


class RuleBody(BaseModel):
    """One rule."""

    id: str
    name: str
    severity: str
    summary: str
    explanation: str
    needs: list[str]
    evidence: list[str]


def body_of(rule: Rule) -> RuleBody:
    """A rule as the service shows it."""
    return RuleBody(
        id=rule.id,
        name=rule.name,
        severity=rule.severity,
        summary=rule.summary,
        explanation=inspect.cleandoc(rule.check.__doc__ or ""),
        needs=list(rule.needs),
        evidence=[str(line) for line in rule.evidence],
    )


@router.get("/rules", responses=problems("host", "internal"))
async def rules() -> list[RuleBody]:
    """All rules, in the order of their numbers."""
    return [body_of(rule) for rule in RULES]


@router.get("/rules/{id}", responses=problems("host", "internal", "not-found", "invalid"))
async def rule(
    id_: Annotated[str, Path(alias="id", max_length=64, examples=[RULES[0].id], description="FP101, or its name.")],
) -> RuleBody:
    """One rule: what it finds, why it hurts, what to write instead, and where it is known from."""
    found = find(id_)
    if found is None:
        raise Problem("not-found", f"no rule is called {id_!r}; GET /rules lists them")
    return body_of(found)


@router.get("/environment", dependencies=SECURED, responses=problems(*ALWAYS, "scope", "not-found"))
async def environment(service: TheService, caller: TheCaller) -> dict[str, JsonValue]:
    """The facts of this machine, as facts.json has them; what looks like a credential is masked."""
    caller.need("read")
    if not service.settings.own_environment:
        raise Problem("not-found", "this service does not look at its own machine: another one trains")
    return service.machine.as_data()
