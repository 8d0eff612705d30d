"""FP9xx: the files themselves."""

from __future__ import annotations

from fp8check.rules.edits.fix import safe, unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import reached
from fp8check.rules.settings.edits import delete, replace
from fp8check.rules.settings.values import Undecided, number_meant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.outcome import Outcome
    from fp8check.rules.reading import Document, Problem
    from fp8check.rules.reading.nodes import ProblemCode
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


@rule(
    "FP901",
    "unquoted-no",
    ERROR,
    "ran accelerate 1.15.0 [conformance file-precision-unquoted-no-1.15]: AttributeError: 'bool' object has "
    "no attribute 'lower'",
    "ran accelerate 1.15.0 [conformance file-distributed-unquoted-no-processes-1.15]: ValueError: You need to "
    "manually pass in `--num_processes`",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl unquoted-no]: AttributeError: 'bool' object has no "
    "attribute 'lower'",
    claims=("ends",),
)
def unquoted_no(accelerate: AccelerateConfig, launch: Launch, run: Run, outcome: Outcome) -> Iterator[Found]:
    """An unquoted `no` or `NO` where Accelerate wants a word.

    Why it hurts: YAML 1.1 reads it as the boolean false. `mixed_precision: no` ends the launcher with an
    AttributeError; `distributed_type: NO` without num_processes ends it with a ValueError.

    Example: `mixed_precision: no`.

    Write instead: `mixed_precision: "no"`.
    """
    error = outcome.error
    if accelerate.is_sagemaker or run.config_read is None:
        return
    for name, word in (("mixed_precision", "no"), ("distributed_type", "NO")):
        setting = accelerate.top.get(name)
        if setting is None or setting.value is not False:
            continue
        if launch.flag(name) is not None:
            continue
        if name == "distributed_type" and (error is None or setting not in error.because):
            continue  # with num_processes the simple launcher is chosen all the same: executed on 1.10.1 and 1.11.0
        ends = error if error is not None and setting in error.because else None
        yield Found(
            f"{name}: {word} without quotes is the boolean false",
            place=setting,
            label=f"{ends.type}: {ends.message}" if ends is not None else "accelerate launch stops here",
            fix=safe(replace(setting, word)),
        )


@rule(
    "FP902",
    "duplicate-key",
    WARNING,
    "ran pyyaml 6.0.4, omegaconf 2.4.0, json of Python 3 [executed duplicate-key]: PyYAML and json keep "
    "the last, OmegaConf refuses",
    claims=("nothing",),
)
def duplicate_key(documents: Sequence[Document]) -> Iterator[Found]:
    """A key stands twice in one mapping.

    Why it hurts: the last one wins and the first one is dead text, or the file is refused, depending on the tool.

    Example: `bf16: true` and, forty lines below, `bf16: false`.

    Write instead: one of them.
    """
    for document in documents:
        for problem in document.problems:
            if problem.code != "duplicate-key" or problem.fatal:
                continue  # FP904
            related = (Related(problem.related, "this one is dropped"),) if problem.related is not None else ()
            fix = safe(delete(problem.related)) if problem.related is not None else None
            yield Found(
                problem.message,
                place=problem.span,
                label="this one counts",
                related=related,
                fix=fix,
            )


@rule(
    "FP903",
    "second-document",
    ERROR,
    "ran pyyaml 6.0.4, omegaconf 2.4.0, accelerate 1.15.0 [executed second-document]: expected a single document",
    claims=("ends",),
)
def second_document(documents: Sequence[Document], outcome: Outcome) -> Iterator[Found]:
    """A second YAML document in the file: a line of `---` in the middle.

    Why it hurts: every tool refuses the file, or would read the first part only.

    Example: two configurations pasted one below the other, with `---` between them.

    Write instead: two files.
    """
    for problem in _problems(documents, "multiple-documents"):
        if outcome.starts:
            return  # nobody reads it
        yield Found(
            "a second document begins here",
            place=problem.span,
            label=reached(outcome, "every tool refuses a file with two", "file-refused"),
            fact="each of its documents can be a file of its own",
        )


def _problems(documents: Sequence[Document], *codes: ProblemCode) -> Iterator[Problem]:
    for document in documents:
        yield from (problem for problem in document.problems if problem.code in codes)


@rule(
    "FP904",
    "omegaconf-refuses",
    ERROR,
    'llamafactory 0.9.4..0.9.5 hparams/parser.py "OmegaConf.load": LLaMA-Factory reads its files with OmegaConf',
    "ran omegaconf 2.4.0 [executed omegaconf-refuses]: an unclosed reference, a null for a key, a key twice",
    claims=("ends",),
)
def omegaconf_refuses(documents: Sequence[Document], outcome: Outcome) -> Iterator[Found]:
    """A LLaMA-Factory file that PyYAML would take and OmegaConf refuses.

    Why it hurts: LLaMA-Factory stops before anything else. Keys twice, dates and sets for values, dates for keys, and
    `${` without a name or an end are refused.

    Example: `output_dir: saves/${model` in a LLaMA-Factory file.

    Write instead: the value in plain words; `\\${` for a `${` that is meant as it stands.
    """
    for problem in _problems(documents, *_REFUSED):
        if not problem.fatal or outcome.starts:
            continue
        related = (Related(problem.related, "the other one"),) if problem.related is not None else ()
        yield Found(
            problem.message,
            place=problem.span,
            label=reached(outcome, "LLaMA-Factory stops here", "file-refused"),
            related=related,
            fact=_REFUSED[problem.code],
            # Which of them was meant nobody knows; the last one is what every other loader takes.
            fix=unsafe(delete(problem.related)) if problem.related and problem.code == "duplicate-key" else None,
        )


_REFUSED: Mapping[ProblemCode, str] = {
    "duplicate-key": "OmegaConf reads the file once the key stands there once",
    "key-type": "OmegaConf takes the key in quotes",
    "key-conflict": "OmegaConf reads the file once one of the two keys is gone",
    "value-type": "OmegaConf takes the value in quotes",
    "interpolation": "a reference ends with }; \\${ stands for what is no reference",
}


@rule(
    "FP905",
    "merge-order",
    WARNING,
    "ran pyyaml 6.0.3, 6.0.4 [executed merge-order]: of <<: [*a, *b] the first wins, and the last",
    claims=("nothing",),
)
def merge_order(documents: Sequence[Document]) -> Iterator[Found]:
    """`<<: [*a, *b]` where both have the key: which one wins depends on PyYAML's release.

    Why it hurts: PyYAML 6.0.4 takes the last, all before it the first, as YAML says. The same file gives another run
    after an upgrade.

    Example: `<<: [*base, *fp8]`, with `bf16` in both.

    Write instead: the key itself below the `<<`.
    """
    for problem in _problems(documents, "merge-order"):
        yield Found(
            "which of two merged values counts depends on PyYAML's release",
            place=problem.span,
            label="PyYAML 6.0.4 takes the last of the list, every release before it the first",
            related=(Related(problem.related, "the key is here too"),) if problem.related is not None else (),
            fact="what is written in this map itself wins over what is merged",
        )


@rule(
    "FP906",
    "parsers-differ",
    WARNING,
    "ran omegaconf 2.3.0, 2.4.0 [executed parsers-differ]: the one stops, the other reads",
    claims=("perhaps",),
)
def parsers_differ(documents: Sequence[Document]) -> Iterator[Found]:
    """A LLaMA-Factory file that OmegaConf 2.4 reads and earlier ones do not.

    Why it hurts: OmegaConf 2.4 parses with libyaml, earlier releases with PyYAML's own parser, which is stricter about
    tabs and a few other things.

    Example: a tab before a comment behind `bf16: true`.

    Write instead: spaces.
    """
    for problem in _problems(documents, "parsers-differ"):
        yield Found(
            "OmegaConf before 2.4 does not read this file",
            place=problem.span,
            label=problem.detail,
            fact="spaces instead of tabs, and quotes around what is unusual, read the same everywhere",
        )


# Switches that FP8 depends on, where the text "false" is as good as true: a dataclass converts nothing.
_SWITCHES = (
    "bf16",
    "fp16",
    "fp8",
    "tf32",
    "pure_bf16",
    "bf16_full_eval",
    "fp16_full_eval",
    "fp8_enable_fsdp_float8_all_gather",
    "gradient_checkpointing",
    "disable_gradient_checkpointing",
    "use_reentrant_gc",
    "torch_compile",
    "use_cpu",
)
_MEANS_NO = ("false", "no", "off", "n", "f", "0", "none", "null")


@rule(
    "FP907",
    "false-in-quotes",
    ERROR,
    "ran transformers 5.23.0 [executed false-in-quotes]: bf16 'false', mixed_precision bf16",
    'llamafactory 0.9.4..0.9.5 hparams/parser.py "parser.parse_dict(args": likewise, no value is converted',
    claims=("nothing",),
)
def false_in_quotes(training: Training) -> Iterator[Found]:
    """A switch that says "false" in quotes: text, and any text counts as true.

    Why it hurts: transformers and LLaMA-Factory put the value into a dataclass as it is, and ask whether it is truthy.
    `bf16: "false"` switches bf16 on, and cancels FP8. TRL and axolotl convert it.

    Example: `bf16: "false"`.

    Write instead: `bf16: false`.
    """
    if not training.keeps_text:
        return
    for name in _SWITCHES:
        setting = training.get(name)
        if setting is None or not isinstance(setting.value, str) or setting.value.lower() not in _MEANS_NO:
            continue
        yield Found(
            f'{name}: "{setting.value}" is text, and counts as true',
            place=setting,
            label="nothing converts it: every text but an empty one is true",
            fix=safe(replace(setting, False)),
        )


# Numbers of TrainingArguments that are compared or multiplied as they are.
_NUMBERS = (
    "learning_rate",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
    "warmup_ratio",
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_steps",
)


@rule(
    "FP908",
    "number-as-text",
    WARNING,
    "ran pyyaml 6.0.4, transformers 5.23.0 [executed number-as-text]: 1e-5 is text, and stays text",
    "ran torch 2.13.0 [executed number-as-text-optimizer]: TypeError, '<=' between float and str",
    claims=("perhaps",),
)
def number_as_text(training: Training) -> Iterator[Found]:
    """A number that YAML reads as text: `1e-5` without a dot, or one in quotes.

    Why it hurts: for PyYAML a float has a dot. The Trainer hands the text to the optimizer, which ends with a
    TypeError, after the model is loaded. LLaMA-Factory's OmegaConf, TRL and axolotl read it as a number.

    Example: `learning_rate: 1e-5`.

    Write instead: `learning_rate: 1.0e-5`.
    """
    if not training.keeps_text or training.loader != "pyyaml":
        return
    for name in _NUMBERS:
        setting = training.get(name)
        number = number_meant(setting.value) if setting is not None else None
        if setting is None or number is None:
            continue
        text = str(setting.value)
        dotless = "." not in text and "e" in text.lower()
        yield Found(
            f"{name}: {text} is text, not a number",
            place=setting,
            label="to PyYAML a float has a dot" if dotless else "what stands in quotes is text",
            notes=("a script that reads the file by a parser of its own may make a number of it",)
            if training.guessed
            else (),
            fix=safe(replace(setting, number)),
        )


@rule(
    "FP909",
    "variable-not-expanded",
    WARNING,
    'llamafactory 0.9.3..0.9.5 hparams/parser.py "OmegaConf.to_container(OmegaConf.merge(": unresolved',
    "ran omegaconf 2.4.0, pyyaml 6.0.4 [executed variable-not-expanded]: both leave the text as it is",
    claims=("perhaps",),
)
def variable_not_expanded(documents: Sequence[Document], launch: Launch) -> Iterator[Found]:
    """An environment variable in a configuration file, as the shell writes it: nobody expands it.

    Why it hurts: no loader of these tools looks into the environment. The run goes to a folder called ${OUTPUT_DIR}, or
    ends at a model of that name. Not said of a template: a file whose name says so, or in which a switch is a variable,
    too, is filled in by a program before anything reads it. Where nobody says how the run is started, any file may be
    one: many are written for envsubst.

    Example: `model_name_or_path: ${MODEL}` in the file that `llamafactory-cli train` gets.

    Write instead: the value; or pass it on the command line.
    """
    template = None
    command = "fp8check on the file that the run reads"
    for document in documents:
        if document.root is None or "$" not in document.text:
            continue
        variables = {node: name for node in document.root.walk() if (name := _variable(node.value)) is not None}
        if "template" in document.path.rpartition("/")[2].lower() or any(
            node.key in _ONLY_FILLED_IN for node in variables
        ):
            template = document.path if variables else template
            continue
        if not launch.given and any(node.key in _PATHS for node in variables):
            template, command = document.path, "fp8check -- COMMAND, with the command that starts the run"
            continue
        for node, name in variables.items():
            if node.key in _PATHS:
                yield Found(
                    f"${name} is not filled in: a configuration file has no variables",
                    place=node,
                    label="taken as it stands, unless a program fills it in before the run",
                    fact="on the command line the shell fills it in",
                )
    if template is not None:
        raise Undecided(f"what {template} holds once it is filled in", command)


# Keys at which no trainer goes on with a text: whoever writes a variable there has a step that fills it in.
_ONLY_FILLED_IN = (*_SWITCHES, "do_train", "load_in_4bit", "load_in_8bit", "packing", "sample_packing", "use_peft")
# Values that are names and paths; a template may hold a $ that is meant.
_PATHS = (
    "model_name_or_path",
    "base_model",
    "output_dir",
    "dataset_name",
    "dataset_dir",
    "deepspeed",
    "deepspeed_config_file",
    "adapter_name_or_path",
    "cache_dir",
    "logging_dir",
    "main_process_ip",
    "main_process_port",
    "machine_rank",
    "num_machines",
    "num_processes",
    "per_device_train_batch_size",
    "learning_rate",
)


def _variable(value: object) -> str | None:
    """The environment variable that a text names as the shell does; None where it names none."""
    before, dollar, after = str(value).partition("$")
    name = after[1:].partition("}")[0] if after.startswith("{") else after.partition("/")[0]
    is_name = name.isidentifier() and name.upper() == name
    return name if isinstance(value, str) and dollar and is_name and not before.endswith("\\") else None


@rule(
    "FP910",
    "number-in-quotes",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/launch.py "num_machines > 1": compared as it stands in the file',
    "ran accelerate 1.15.0 [executed number-in-quotes]: TypeError, '>' between str and int",
    claims=("ends",),
)
def number_in_quotes(outcome: Outcome) -> Iterator[Found]:
    """`num_processes: "1"` or `num_machines: "1"` in quotes: text, where the launcher compares numbers.

    Why it hurts: the launcher ends with TypeError.

    Example: `num_machines: "1"`.

    Write instead: `num_machines: 1`.
    """
    error = outcome.error_of("launcher-number-as-text")
    if error is None:
        return
    setting = error.because[0]
    number = number_meant(setting.value)
    is_text = isinstance(setting.value, str)
    yield Found(
        f"{setting.value!r} is {'text' if is_text else f'a {type(setting.value).__name__}'}, not a number",
        place=setting,
        label=f"accelerate launch raises TypeError: {error.message}",
        fact="" if number is not None else "Accelerate takes a number without quotes here, as num_processes: 8",
        fix=safe(replace(setting, number)) if number is not None else None,
    )


@rule(
    "FP911",
    "named-file-not-read",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/deepspeed.py "config = json.load(f)": what is not JSON ends the run',
    "own rules/checking/named.py: what becomes of a file that a run names",
    claims=("ends",),
)
def named_file_not_read(run: Run, outcome: Outcome) -> Iterator[Found]:
    """A file that the run names is not JSON where it has to be; or it cannot be read here, and the rest is undecided.

    Why it hurts: Accelerate and the Trainer read DeepSpeed's file as JSON, and end where it is none. What stands in a
    file that is missing, locked or too large here may switch FP8 on or off: nothing that hangs on it is called clean.

    Example: `deepspeed: ds_z3.json`, with a comma behind the last entry of that file.

    Write instead: JSON. For a file that is not here: run fp8check where the run will start, or name the file, too.
    """
    for unread in run.unread:
        if unread.broken and not outcome.starts:
            yield Found(
                f"{unread.path} is not JSON",
                place=unread.place,
                label=reached(outcome, f"the run ends here: {unread.why}", "file-is-no-json"),
                fact="JSON has no comments, and no comma after the last entry",
            )
    unknown = [unread for unread in run.unread if not unread.broken and unread.refused is None]
    if unknown:
        raise Undecided("; ".join(unread.needs for unread in unknown), unknown[0].command)
