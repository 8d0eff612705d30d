"""The bodies of the service, as its OpenAPI shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from fp8check.service.options import Options

MOST_FILES = 32
FileName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedFile(_Strict):
    """A file with its name; the name only appears in the report."""

    name: FileName
    text: str


class CheckBody(_Strict):
    """What POST /check takes as JSON. Files are told apart by their content, as on the command line."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in ("training", "accelerate", "script", "files")],
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
