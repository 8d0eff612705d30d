"""From what the ranks of a watched run told to what was seen: one answer for all, and nothing filled in."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from fp8check.rules.seen import from_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fp8check.rules.seen import Seen

    Told = Mapping[str, Any]  # JSON that a rank wrote

NAMED = 8
# Why a weight that has not moved may be stepped all the same (probe/child/training.py); anything else is a fault.
FAULTS = ("held", "not held")


class Look:
    """What the ranks told of one look.

    Attributes:
        ranks: the last word of each, by rank.
        world: how many there are.
        others: processes that trained beside them, or after them, under the rank of one of them.
    """

    def __init__(self, told: Sequence[Told]) -> None:
        self.ranks: dict[int, Told] = {}
        self.world = 0
        self.others = 0
        for one in told:
            first = self.ranks.get(one["rank"])
            # Of two trainings, one after the other, the first is the one that was asked about.
            if first is not None and first["pid"] != one["pid"]:
                self.others += 1
            else:
                self.ranks[one["rank"]] = one
        self.world = max((one["world"] for one in self.ranks.values()), default=0)

    @property
    def whole(self) -> bool:
        """Whether every rank has told all that it will."""
        return bool(self.ranks) and len(self.ranks) >= self.world and all(one["final"] for one in self.ranks.values())


def looks(told: Sequence[Told]) -> list[Look]:
    """What was told, look by look."""
    numbers = sorted({one["look"] for one in told})
    return [Look([one for one in told if one["look"] == number]) for number in numbers]


def seen(look: Look | None, entered: int | None, ended: str) -> Seen:
    """What was seen of one look.

    Args:
        look: what the ranks told; None where none of them made a step.
        entered: processes that the watcher was let into; None where the folder is gone in which they tell.
        ended: how the run ended, in words; "" while it runs.
    """
    if look is None or not look.ranks:
        return from_data({"ended": "not run", "why": _why_nothing(entered, ended)})
    ranks = [look.ranks[number] for number in sorted(look.ranks)]
    first = ranks[0]
    undecided = list(dict.fromkeys(text for rank in ranks for text in rank["undecided"]))
    missing = sorted(set(range(look.world)) - set(look.ranks))
    if missing:
        undecided.append(f"rank {', '.join(map(str, missing[:NAMED]))} of {look.world} told nothing")
    open_ = [number for number, one in look.ranks.items() if not one["final"]]
    if open_:
        undecided.append(
            f"rank {', '.join(map(str, open_[:NAMED]))} did not come to the end of the look{ended and f': {ended}'}"
        )
    if look.others:
        undecided.append(f"{look.others} more processes trained: only the first of each rank is judged")
    names = ("layers", "recipe", "autocast")
    different = [name for name in names if any(rank.get(name) != first.get(name) for rank in ranks)]
    undecided += [f"the ranks have different {name}: rank {first['rank']} is told" for name in different]
    if any(len(rank.get("recipes", ())) > 1 for rank in ranks):
        undecided.append("the layers have different recipes: one of them is told")
    data = {
        "ended": "done",
        "why": "" if open_ else ended,  # it is said of the ranks
        "emulated": bool(first["device"].get("emulated")),
        "watched": _watched(ranks, look.world, undecided),
        "device": first["device"],
        "packages": first.get("packages"),
        "accelerator": first.get("accelerator"),
        "layers": first.get("layers"),
        "autocast": first.get("autocast"),
        "recipe": first.get("recipe"),
        "kernels": next((rank["kernels"] for rank in ranks if "kernels" in rank), None),
        "optimizer": _optimizer(ranks),
        "moved": _moved(ranks, whole=not missing and not open_),
        "losses": _losses(ranks),
        "fp8_gib": max((rank["peak_gib"] for rank in ranks if rank["peak_gib"] is not None), default=None),
    }
    return from_data(data)


def _why_nothing(entered: int | None, ended: str) -> str:
    how = f"; {ended}" if ended else ""
    if entered is None:
        return f"the temporary folder is gone in which the ranks tell what they see{how}"
    if entered:
        return f"no optimizer's step was seen in {entered} processes that import torch{how}"
    blind = "python -I and -E, TORCH_DEVICE_BACKEND_AUTOLOAD=0, env -i, a PYTHONPATH of its own, a container, no torch"
    return f"no process let the watcher in ({blind}){how}"


def _watched(ranks: Sequence[Told], world: int, undecided: list[str]) -> dict[str, object]:
    times = [ms for rank in ranks for ms in rank["ms"] if ms > 0]
    tokens = [rank["tokens"] for rank in ranks if rank.get("tokens") is not None]
    passes = max(rank["passes"] for rank in ranks)
    every = sum(tokens) * passes if len(tokens) == len(ranks) == world else None
    return {
        "ranks": world,
        "told": len(ranks),
        "first": min(rank["steps"][0] for rank in ranks),
        "last": max(rank["steps"][1] for rank in ranks),
        "step_ms": _time(times),
        "tokens": every,
        "undecided": undecided,
        "gradients": next((rank["told_gradients"] for rank in ranks if rank.get("told_gradients") is not None), None),
    }


def _time(times: Sequence[float]) -> dict[str, object] | None:
    if not times:
        return None
    return {"ms": round(statistics.median(times), 3), "low": min(times), "high": max(times), "repeats": len(times)}


def _losses(ranks: Sequence[Told]) -> list[float | None] | None:
    """Those of the first rank, and null where any rank has one that is not finite."""
    first = ranks[0]["losses"]
    if not first:
        return None
    broken = {step for rank in ranks for step, loss in enumerate(rank["losses"]) if loss is None}
    return [None if step in broken else loss for step, loss in enumerate(first)]


def _optimizer(ranks: Sequence[Told]) -> dict[str, object] | None:
    weights = [rank["weights"] for rank in ranks if "weights" in rank]
    if not weights or any(not weight["optimizers"] for weight in weights):
        return None
    missing = set.intersection(*(set(weight["missing"]) for weight in weights))
    return {"missing": len(missing), "names": sorted(missing)[:NAMED]}


def _moved(ranks: Sequence[Told], *, whole: bool) -> dict[str, object] | None:
    """Which weights train: of a sharded one each rank sees its part, and one that moved moved for all."""
    weights = [rank["weights"] for rank in ranks if "weights" in rank]
    if not weights or len(weights) < len(ranks):
        return None
    moved = {name for weight in weights for name in weight["moved"]}
    reasons = {name: why for weight in weights for name, why in weight["stayed"].items() if name not in moved}
    faults = sorted(name for name, why in reasons.items() if why in FAULTS)
    unclear = 0
    why = ""
    if faults and not whole:
        unclear, why, faults = len(faults), "not every rank told what it has of them", []
    elif not moved and not faults:
        unclear, why = max(1, len(reasons)), "; ".join(sorted(set(reasons.values()))) or "none of them has values here"
    return {
        "trainable": len(moved) + len(faults) + unclear,
        "moved": len(moved),
        "stayed": faults[:NAMED],
        "steps": max(rank["steps"][1] - rank["steps"][0] + 1 for rank in ranks),
        "unclear": unclear,
        "why": why,
    }
