"""What is switched off in a trial, each switch by itself."""

from __future__ import annotations

import types

from fp8check.probe.way import fp8check_trial as trial


def test_what_a_script_says_of_the_mode_of_wandb_does_not_count() -> None:
    began = []

    def init(project: str = "", config: object = None, mode: str | None = None) -> str:
        began.append((project, config, mode))
        return "run"

    module = types.ModuleType("wandb")
    module.init = init  # type: ignore[attr-defined]
    trial.switches("folder", lambda _: None)["wandb"](module)
    for given, named in (((), {}), (("p",), {"mode": "online"}), (("p", 1, "online"), {}), ((), {"config": 2})):
        assert module.init(*given, **named) == "run"
    assert began == [("", None, "disabled"), ("p", None, "disabled"), ("p", 1, "disabled"), ("", 2, "disabled")]


def test_the_variables_of_trackers_are_those_of_the_command() -> None:
    from fp8check.probe.session import Session

    session = Session(3, None, trial=True)
    try:
        environ = session.environ({"WANDB_MODE": "online"})
    finally:
        session.close()
    assert {name: environ[name] for name in trial.ENVIRONMENT} == trial.ENVIRONMENT
    assert environ["WANDB_MODE"] == "disabled"


def test_times_among_each_other_do_not_say_which_is_faster() -> None:
    from fp8check.rules.checking.comparing import overlap
    from fp8check.rules.seen.data import Time

    narrow, wide = Time(ms=72.8, low=70.9, high=76.9, repeats=9), Time(ms=69.7, low=65.0, high=85.0, repeats=9)
    far = Time(ms=93.2, low=90.9, high=96.3, repeats=9)
    assert overlap(narrow, wide)
    assert overlap(wide, narrow)
    assert not overlap(narrow, far)
    assert not overlap(far, wide)
