"""The generator: reproducible, unique, and wide enough to be worth comparing with."""

from __future__ import annotations

import json

from tests.tools.conformance import cases, edges, generate, stacks


def test_the_same_seed_gives_the_same_cases() -> None:
    assert generate.generated(7, 80) == generate.generated(7, 80)
    assert generate.generated(7, 80) != generate.generated(8, 80)


def test_more_cases_leave_the_earlier_ones_as_they_are() -> None:
    few = {case["id"]: case for case in generate.generated(1, 80)}
    many = {case["id"]: case for case in generate.generated(1, 400)}
    assert few.items() <= many.items()


def test_ids_are_unique() -> None:
    identities = [case["id"] for case in generate.everything(1, 1500)]
    assert len(identities) == len(set(identities)) >= 2500


def test_what_is_covered() -> None:
    made = generate.everything(1, 1500)
    releases = {case["stack"]["accelerate"] for case in made}
    assert len(releases) >= 13
    assert {case["trainer"] for case in made} == {"script", "transformers", "llamafactory", "trl"}
    assert {case["launch"]["with"] for case in made} == {"accelerate", "python", "torchrun"}
    kinds = {(case["accelerate_config"] or {}).get("distributed_type") for case in made if _is_mapping(case)}
    assert {"NO", "MULTI_GPU", "FSDP", "DEEPSPEED"} <= kinds


def _is_mapping(case: cases.Case) -> bool:
    return isinstance(case["accelerate_config"], (dict, type(None)))


def test_the_sample_is_two_stacks_and_more_than_sixty_cases() -> None:
    sample = generate.sample(1)
    assert len(sample) >= 60
    assert len({json.dumps(case["stack"], sort_keys=True) for case in sample}) == 2


def test_a_case_survives_its_line() -> None:
    for case in edges.cases_by_hand()[:50]:
        assert json.loads(cases.line(case)) == case


def test_every_stack_says_what_stands_beside_its_transformers() -> None:
    beside = stacks.table()["beside"]["transformers"]
    assert all(stack["transformers"] in beside for stack in stacks.known().values())
