"""What nodes of a cluster told, by job: one row a node and caller, the last report of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, func, insert, select

from fp8check.service.store.tables import NODES

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST_OF_A_JOB = 10_000  # reports: these are merged in half of FP8CHECK_CHECK_TIMEOUT_S (make nodes-scale)
MOST_BYTES_OF_A_JOB = 64 * 1024 * 1024


class NewNode(NamedTuple):
    """What a node told, to be stored. See tables.py for the columns."""

    job: str
    host: str
    caller: str
    updated_ms: int
    told: bytes


class TooMany(Exception):
    """The job has as many reports as are merged."""


def put(connection: Connection, node: NewNode) -> None:
    """Store it in the place of what this caller told of this node before.

    Nobody takes the place of what another caller told: of a node of which they tell different things nobody knows.

    Raises:
        TooMany: the job has no room for it.
    """
    mine = and_(NODES.c.job == node.job, NODES.c.host == node.host, NODES.c.caller == node.caller)
    connection.execute(delete(NODES).where(mine))
    there = select(func.count(), func.coalesce(func.sum(NODES.c.size), 0)).where(NODES.c.job == node.job)
    number, size = connection.execute(there).one()
    if number >= MOST_OF_A_JOB or size + len(node.told) > MOST_BYTES_OF_A_JOB:
        raise TooMany
    connection.execute(insert(NODES).values(size=len(node.told), **node._asdict()))


def reports_of(connection: Connection, job: str, caller: str | None) -> list[bytes]:
    """What the nodes of a job told; `caller`: only what that one sent."""
    query = select(NODES.c.told).where(NODES.c.job == job).order_by(NODES.c.host, NODES.c.caller)
    if caller is not None:
        query = query.where(NODES.c.caller == caller)
    return list(connection.execute(query).scalars())


def tidy(connection: Connection, oldest_ms: int, most: int) -> None:
    """Delete what is older, and the oldest of what is more than is kept."""
    connection.execute(delete(NODES).where(NODES.c.updated_ms < oldest_ms))
    number = connection.execute(select(func.count()).select_from(NODES)).scalar() or 0
    if number > most:
        last = select(NODES.c.updated_ms).order_by(NODES.c.updated_ms).offset(number - most - 1).limit(1)
        until = connection.execute(last).scalar_one()
        connection.execute(delete(NODES).where(NODES.c.updated_ms <= until))
