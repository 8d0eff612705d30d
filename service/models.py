"""The bodies of the service, as its OpenAPI shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from fp8check.rules.trainers.registry import NAMES

if TYPE_CHECKING:
    Trainer = str
else:  # a Literal of what the registry has: mypy wants to read its words here
    Trainer = Literal[NAMES]

MOST_FILES = 32
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
RuleName = Annotated[str, StringConstraints(min_length=1, max_length=64, to_upper=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedFile(_Strict):
    """A file with its name; the name only appears in the report."""

    name: FileName
    text: str


class Options(_Strict):
    """How the files are checked; the same as the options of the command.

    The one definition: JSON and forms are read by it, OpenAPI shows it, and a check request carries it. An option that
    is added here is used in checking.py, and sent by `fp8check --server` (cli/remote.py).
    """

    probe: bool = Field(
        default=False, description="Run a real FP8 step here. The answer is 202 with the job's address."
    )
    launch: Annotated[str, StringConstraints(max_length=8192)] | None = Field(
        default=None, description="How the run is started: accelerate, python, torchrun, or the whole command."
    )
    trainer: Trainer | None = Field(
        default=None,
        description="Who reads the training file; told by its content where it is not given.",
    )
    environment: bool = Field(
        default=True, description="false: without facts, do not look at the service's own machine."
    )
    variables: dict[Annotated[str, StringConstraints(min_length=1, max_length=255)], str] = Field(
        default_factory=dict, max_length=256, description="Variables of the training shell."
    )
    select: list[RuleName] = Field(default_factory=list, max_length=256, description="Only these rules or groups.")
    ignore: list[RuleName] = Field(default_factory=list, max_length=256, description="Not these rules or groups.")
    fail_on: Literal["error", "warning", "never"] = Field(default="error", description="For FP8check-Exit-Code.")
    require_evidence: bool = Field(
        default=False, description="For FP8check-Exit-Code: 3 where something stays undecided."
    )
    quiet: bool = Field(default=False, description="Whether text/plain has the findings only.")
    verbose: bool = Field(default=False, description="Whether text/plain names the rules that stay undecided.")
    color: bool = Field(default=False, description="Whether text/plain is painted for a terminal.")


class CheckBody(_Strict):
    """What POST /check takes as JSON. Files are told apart by their content, as on the command line."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in ("training", "accelerate", "files")],
            "examples": [
                {
                    "training": "model_name_or_path: Qwen/Qwen2.5-7B\noutput_dir: out\nbf16: true\n",
                    "accelerate": "distributed_type: 'NO'\nmixed_precision: fp8\nfp8_config:\n  backend: TE\n",
                }
            ],
        },
    )

    training: str | None = Field(default=None, description="The training file: its text.")
    accelerate: str | None = Field(default=None, description="The Accelerate file: its text.")
    deepspeed: str | dict[str, JsonValue] | None = Field(
        default=None, description="The DeepSpeed file: its text, or the object."
    )
    model_config_: str | dict[str, JsonValue] | None = Field(
        default=None, alias="model_config", description="The model's config.json: its text, or the object."
    )
    script: str | None = Field(default=None, description="The script that trains: its text. It is parsed, never run.")
    files: list[NamedFile] = Field(
        default_factory=list,
        max_length=MOST_FILES,
        description="Files with names, in any order; several training files make several runs.",
    )
    facts: dict[str, JsonValue] | str | None = Field(
        default=None,
        description="facts.json of the node that will train (fp8check env --json). Without it: this machine.",
    )
    options: Options = Field(default_factory=Options)
