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
