"""FP3xx: how the run is started."""

from __future__ import annotations

from collections import Counter

from fp8check.rules.catalog.shared_fixes import WHAT_TO_CHANGE, dropped, moved, without
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, INFO, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import not_known, reached
from fp8check.rules.outcome.launcher import is_configuration, precision_meant
from fp8check.rules.outcome.processes import doubled
from fp8check.rules.releases.accelerate_keys import CLUSTER_KEYS, is_section, known_keys, unknown_keys
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.settings.edits import move, rename, replace
from fp8check.rules.settings.launch import INTEGERS, LAUNCHER_FLAGS, LAUNCHERS, REALS
from fp8check.rules.trainers.huggingface import ARGUMENTS, TELLING
from fp8check.rules.trainers.registry import PROGRAMS, launched_by_itself, of_program, starter
from fp8check.rules.trainers.training import CONFIGURATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import PredictedError
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run


@rule(
    "FP301",
    "config-not-read",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "defaults = load_config_from_file(args.config_file)": the '
    "only reader of the file for a run",
    'accelerate 0.34.0..1.15.0 accelerator.py !"load_config_from_file": Accelerator() reads none',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl python-config-unread]: mixed precision no",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-python-unread]: bf16, as the training file says",
    claims=("ignored",),
)
def config_not_read(accelerate: AccelerateConfig, launch: Launch) -> Iterator[Found]:
    """An Accelerate file that asks for FP8 and that the launch does not read.

    Why it hurts: only `accelerate launch` reads it. Under python, torchrun and llamafactory-cli the file does nothing,
    and the run trains in whatever precision the training file says.

    Example: `torchrun train.py cfg.yaml`, with `mixed_precision: fp8` in accel.yaml.

    Write instead: `accelerate launch --config_file accel.yaml train.py cfg.yaml`.
    """
    if "accelerate" in (launch.tool, launch.script) or not accelerate.wants_fp8():
        return  # where another launcher starts it, FP306 speaks
    how = launch.script if launch.script in LAUNCHERS | PROGRAMS else launch.tool
    name = accelerate.path or "FILE"
    yield Found(
        f"nobody reads this file: the run is started by {how}",
        place=accelerate.mixed_precision,
        label="only accelerate launch reads it",
        fact=f"accelerate launch --config_file {name} makes the run read this file",
    )


@rule(
    "FP302",
    "unknown-top-level-key",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/config/config_args.py "had unknown keys": ValueError',
    "ran accelerate 1.15.0 [conformance file-unknown-key-1.15]: ValueError: the config file had unknown keys",
    claims=("ends",),
)
def unknown_top_level_key(run: Run, accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A top-level key of the Accelerate file that this release does not know: the launcher stops.

    Why it hurts: unlike in fp8_config, an unknown key here is an error. Keys of other releases count as unknown.

    Example: `fp8_backend: TE` at the top level, or `ipex_config` with accelerate 1.13.

    Write instead: the key where it belongs; `backend` goes under fp8_config.
    """
    version = outcome.stack.version("accelerate")
    unknown = unknown_keys(accelerate, version)
    if not unknown or run.config_read is None:  # as nearly always: what is known costs more to list
        return
    from fp8check.rules.releases.similar import nearest  # few names are misspelt

    known = known_keys(accelerate, version)
    meant = {name: nearest(name, known) for name in unknown if name not in CLUSTER_KEYS}
    times = Counter(meant.values())
    for name, setting in accelerate.top.settings(unknown):
        near = meant.get(name)
        if near is not None:
            fact, fix = _misspelt(accelerate, setting, near, single=times[near] == 1)
        else:
            fact, fix = _elsewhere(run, accelerate, name, setting)
        yield Found(
            f"{name} is not a key of an Accelerate file",
            place=setting,
            label=f"{outcome.stack.name('accelerate')} launch raises ValueError: unknown keys",
            fact=fact,
            fix=fix,
        )


def _misspelt(accelerate: AccelerateConfig, setting: Setting, near: str, *, single: bool) -> tuple[str, Fix | None]:
    """A key that is nearly another one: it is renamed, where nothing is lost by that."""
    if near in accelerate.top:
        return f"did you mean {near}? It is here already: one of the two is enough", None
    fits = setting.value is None or isinstance(setting.value, dict) == is_section(near)
    return f"it looks like a misspelling of {near}", unsafe(rename(setting, near)) if fits and single else None


def _elsewhere(run: Run, accelerate: AccelerateConfig, name: str, setting: Setting) -> tuple[str, Fix | None]:
    """What is true of a key that belongs somewhere else, or nowhere, and its fix."""
    if name in CLUSTER_KEYS:
        return "other releases of accelerate know it", without(setting)
    key = name.removeprefix("fp8_")
    if name.startswith("fp8_") or name == "backend":
        if key in accelerate.fp8:
            return _twice(setting, accelerate.fp8.get(key), f"fp8_config has {key}")
        return f"under fp8_config it is {key}", _into_fp8_config(accelerate, setting, key)
    if name in ARGUMENTS | TELLING:
        if name in run.training.top:
            return _twice(setting, run.training.get(name), f"the training file has {name}")
        return "it is a key of the training file", moved(setting, run.training.top, name)
    from fp8check.rules.releases.similar import suggested  # as above

    near = suggested(name, CLUSTER_KEYS)
    return (f"did you mean {near}?", None) if near is not None else ("", without(setting))


def _twice(setting: Setting, there: Setting | None, where: str) -> tuple[str, Fix | None]:
    """A key stands already where it belongs: with that value, this one can go; with another, somebody has to choose."""
    if there is not None and there.value == setting.value:
        return f"{where} already", without(setting)
    return f"{where} already, with another value", None


def _into_fp8_config(accelerate: AccelerateConfig, setting: Setting, key: str) -> Fix | None:
    """Under fp8_config, which is made where the file has none."""
    if "fp8_config" in accelerate.top:
        return moved(setting, accelerate.fp8, key)
    if isinstance(setting.value, (dict, list)):
        return None
    return unsafe(*move(setting, accelerate.top, "fp8_config", {key: setting.value}))


_TO_WRITE = "by hand, before anything else can be said: the indentation, a tab, or a value with ': ' that wants quotes"


@rule(
    "FP303",
    "does-not-start",
    ERROR,
    "ran accelerate 1.15.0 [conformance file-precision-unknown-1.15]: ValueError: Unknown mixed_precision mode",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl hf-fsdp1-te]: the same on a GPU",
    last_resort=True,
    claims=("ends",),
)
def does_not_start(outcome: Outcome, requested: Requested, launch: Launch) -> Iterator[Found]:
    """The run ends with an exception before or in its first step.

    Why it hurts: the queue, the download and the model load come first, the exception after them. Other rules say
    more where they can; this one makes sure that it is said at all.

    Example: `mixed_precision: float8` in the Accelerate file.

    Write instead: see the message and the lines that lead to it.
    """
    error = outcome.error
    if error is None and outcome.starts is None and requested.fp8:
        raise not_known(outcome, "whether the run starts")
    if error is None:
        return
    places = [setting for setting in error.because if launch.places(setting)]
    hidden = [setting for setting in error.because if not launch.places(setting)]
    stages = {
        "launch": "in accelerate launch",
        "arguments": "while the training arguments are read",
        "trainer": "while the trainer is built",
        "accelerator": "in Accelerator()",
        "prepare": "in accelerator.prepare(), after the model is loaded",
        "step": "in the first training step",
    }
    place = places[0] if places else None
    word = precision_meant(place.value) if error.code == "unknown-launcher-precision" and place is not None else None
    yield Found(
        f"the run ends {stages[error.stage]} with {error.type}",
        place=place,
        label=error.first_line,
        related=tuple(Related(place, "together with this") for place in places[1:]),
        notes=tuple(f"{setting.value} comes from {setting.origin.describe()}" for setting in hidden),
        fact="" if word else _TO_WRITE if error.code == "file-refused" and not error.because else WHAT_TO_CHANGE,
        fix=unsafe(replace(place, word)) if word and place is not None else None,
    )


@rule(
    "FP304",
    "lower-case-flag",
    ERROR,
    'accelerate 1.9.0..1.15.0 utils/dataclasses.py "class FP8BackendType": upper case only',
    'accelerate 1.9.0..1.15.0 commands/launch.py "--fp8_backend": lower case only',
    "ran accelerate 1.15.0 [conformance flags-backend-te-1.15]: ValueError 'te' is not a valid FP8BackendType",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl flag-backend]: ValueError in Accelerator()",
    claims=("ends",),
)
def lower_case_flag(launch: Launch, outcome: Outcome, requested: Requested) -> Iterator[Found]:
    """`accelerate launch --fp8_backend te` cannot work.

    Why it hurts: the flag takes only lower case and the reader only upper case. Accelerate's documentation shows it.

    Example: `accelerate launch --mixed_precision fp8 --fp8_backend te train.py` on accelerate 1.15.

    Write instead: `backend: TE` under fp8_config of a configuration file.
    """
    flag = launch.flag("fp8_backend")
    if flag is None or not requested.fp8 or not outcome.stack.does(Accelerate.BACKEND_FROM_ENVIRONMENT):
        return
    if not str(flag).islower() or outcome.starts:
        return  # argparse refuses that: FP319; or nobody asks for it
    yield Found(
        f"--fp8_backend {flag} can never work with {outcome.stack.name('accelerate')}",
        place=launch.setting("fp8_backend"),
        notes=(
            reached(
                outcome,
                f"Accelerator() raises ValueError: {str(flag)!r} is not a valid FP8BackendType",
                "unknown-backend-variable",
            ),
        ),
        fact=f"backend: {str(flag).upper()} under fp8_config of the configuration file works",
    )


@rule(
    "FP305",
    "command-is-no-script",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/launch.py "if not args.no_python": without the flag it runs `python WORD`',
    "ran accelerate 1.15.0 [executed command-is-no-script]: python: can't open file 'llamafactory-cli'",
    "ran trl 1.16.0 [command third-trl-no-config]: NameError: python takes the file for a script",
    'llamafactory 0.9.3..0.9.5 launcher.py "__main__": run as a module it trains, without a launcher of its own',
    claims=("ends",),
)
def command_is_no_script(launch: Launch, run: Run, outcome: Outcome) -> Iterator[Found]:
    """`accelerate launch llamafactory-cli train ...`: the launcher runs a command as if it were a Python file.

    Why it hurts: python looks for a file of that name here, and does not find it. Where a configuration stands in the
    script's place, python takes its first line for a statement. `trl sft train.yaml` is of this kind: TRL reads what
    stands behind --config alone, and hands the rest on to the launcher.

    Example: `accelerate launch --config_file accel.yaml llamafactory-cli train cfg.yaml`, or the same without a script.

    Write instead: `accelerate launch --config_file accel.yaml -m llamafactory.launcher cfg.yaml`.
    """
    name, trainer = launch.script, of_program(launch.script)
    error = outcome.error_of("command-is-no-script") if launch.by_module else None
    if error is not None:
        yield Found(f"{launch.by_module} is no module that Python runs", label=f"{error.type}: {error.message}")
        return
    word = run.training.instead_of_script(launch, run.facts)
    if word is not None:
        flag = run.training.file_flag
        yield Found(
            f"{launch.through} does not read {word}",
            label=f"it is handed on to accelerate launch, which runs `python {word}`",
            fact=f"{flag} {word} is read" if word.endswith(CONFIGURATIONS) else "",
        )
        return
    if launch.tool == "python" or launch.through is not None or launch.flag("no_python"):
        return  # with --no_python FP306 speaks
    start = f"{launch.tool} launch" if launch.tool == "accelerate" else launch.tool
    if is_configuration(launch):
        yield Found(
            f"{name} is a configuration, not a Python file",
            label=f"{start} runs `python {name}`, which fails at its first line",
            fact="the script that reads it stands before it",
        )
        return
    if trainer is None and name not in LAUNCHERS:
        return
    yield Found(
        f"{name} is a command, not a Python file",
        label=f"{start} runs `python {name}`: can't open file",
        fact=trainer.instead_of_launching(start) if trainer is not None else f"{name} launches by itself",
    )


@rule(
    "FP306",
    "launcher-in-launcher",
    ERROR,
    'llamafactory 0.9.4..0.9.5 launcher.py "get_device_count() > 1 and not": it starts torchrun over all GPUs',
    'llamafactory 0.9.3 cli.py "get_device_count() > 1 and not": likewise',
    "ran accelerate 1.15.0 [executed launcher-in-launcher]: two processes, each of which starts two",
    "ran accelerate 1.15.0 [executed launcher-in-one-process]: around one plain process it is no fault",
    "ran accelerate 1.15.0 [executed one-process-in-launcher]: nor in a launcher that starts one plain process",
    "ran accelerate 1.15.0 [executed one-process-around-launcher]: nor where the outer one starts a single process",
    claims=("nothing",),
)
def launcher_in_launcher(launch: Launch, run: Run) -> Iterator[Found]:
    """One launcher starts another, and both start processes: each of the first starts all of the second again.

    Why it hurts: with 8 GPUs 64 processes start, eight on each GPU, all waiting on the same port. llamafactory-cli is a
    launcher, too, where it sees more than one GPU.

    Example: `torchrun --nproc_per_node 8 --no_python torchrun --nproc_per_node 8 train.py`.

    Write instead: one of them; for LLaMA-Factory `accelerate launch ... -m llamafactory.launcher cfg.yaml`.
    """
    pair = doubled(run)
    if pair is None:
        return
    first, second = pair
    own = launched_by_itself(launch)
    yield Found(
        f"{first} starts {second}, which is a launcher itself",
        label="every process of the one starts all processes of the other",
        fact="one launcher alone starts all processes that the run needs" if own is None else own.launched_alone,
    )


@rule(
    "FP307",
    "flag-beats-file",
    INFO,
    'accelerate 0.34.0..1.15.0 commands/launch.py "if not args.mixed_precision": the file counts without the flag only',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl flag-bf16]: bf16, under a file that says fp8",
    claims=("ignored",),
)
def flag_beats_file(accelerate: AccelerateConfig, launch: Launch) -> Iterator[Found]:
    """`--mixed_precision` on the command line says something else than the Accelerate file, and wins.

    Why it hurts: the file reads as fp8 and the run is bf16, or the other way round. With bf16 the whole fp8_config is
    ignored.

    Example: `accelerate launch --config_file accel.yaml --mixed_precision bf16 train.py`, with fp8 in accel.yaml.

    Write instead: the precision in one place, the file.
    """
    flag, written = launch.flag("mixed_precision"), accelerate.mixed_precision
    if flag is None or written is None or launch.tool != "accelerate" or "fp8" not in (flag, written.value):
        return
    if str(written.value).lower() == flag:
        return
    yield Found(
        f"--mixed_precision {flag} on the command line overrides this {written.value}",
        place=written,
        label=f"the run is started in {flag}",
        fact="the flag on the command line counts, whatever the file says",
        fix=unsafe(replace(written, flag)),
    )


@rule(
    "FP308",
    "other-config-file",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "os.path.isfile(default_config_file)": else the default file, if any',
    'trl 1.16.0 cli/accelerate_config.py "--config_file": what --accelerate_config becomes',
    "ran accelerate 1.15.0 [executed own-default-file]: without --config_file the default file counts",
    claims=("ignored",),
)
def other_config_file(accelerate: AccelerateConfig, launch: Launch, run: Run) -> Iterator[Found]:
    """The launch command reads another Accelerate file than this one, or names none.

    Why it hurts: without --config_file the launcher takes the machine's default_config.yaml, or no file. What this file
    says of FP8 does not count.

    Example: `accelerate launch train.py` beside an accel.yaml with `mixed_precision: fp8`.

    Write instead: `accelerate launch --config_file accel.yaml train.py`.
    """
    if not run.names_other_config or not accelerate.wants_fp8():
        return
    read, flag = launch.config_file, starter(launch).config_flag
    yield Found(
        f"the launch reads {read}, not this file" if read is not None else f"the launch names no {flag}",
        place=accelerate.mixed_precision,
        label="this does not reach the run" if read is not None else "the machine's default file is read, or none",
        fact=f"{flag} {accelerate.path} on the command line makes the launch read this file",
    )


@rule(
    "FP318",
    "unknown-flag",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "args = parser.parse_args()": argparse refuses what it does not know',
    "ran accelerate 1.15.0 [conformance flags-unknown-1.15]: SystemExit",
    "ran trl 1.16.0 [command third-trl-length]: SystemExit: unrecognized arguments: --max_seq_length",
    "ran torch 2.13.0 [command fourth-cut-torchrun-nproc]: SystemExit: ambiguous option: --nproc",
    claims=("ends",),
)
def unknown_flag(outcome: Outcome) -> Iterator[Found]:
    """A flag before the script that `accelerate launch` does not have, or that torchrun cannot tell from others.

    Why it hurts: argparse ends the launch. Flags of the script belong behind the script. TRL's command hands on what
    its script does not know, of its flags and of the keys of its file: `max_seq_length` ends `trl sft` from 0.20 on.
    torchrun takes the beginning of a flag where no other begins so, and has each in two spellings: `--nproc` may be
    `--nproc_per_node` and `--nproc-per-node`.

    Example: `accelerate launch --mixed_precision fp8 --fp8_recipe delayed train.py`.

    Write instead: the flag's right name, or the flag behind train.py.
    """
    error = outcome.error_of("unknown-launcher-flag")
    if error is None:
        return
    from fp8check.rules.releases.similar import suggested  # as above

    run = outcome.run
    if run.launch.through is not None:
        yield from _known_to_neither(run, error)
        return
    if run.launch.tool == "accelerate":
        near = suggested(error.flag, LAUNCHER_FLAGS)
        program = "accelerate launch"
        fact = f"did you mean --{near}?" if near else "flags of the script stand behind the script"
    else:
        program, fact = run.launch.tool, "the beginning of a flag is enough where no other begins so"
    yield Found(
        f"{program} has no flag --{error.flag}",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact=fact,
    )


def _known_to_neither(run: Run, error: PredictedError) -> Iterator[Found]:
    """A flag, or a key of the file, that the trainer's command hands on to the launcher, which does not know it."""
    from fp8check.rules.releases.similar import suggested
    from fp8check.rules.releases.training_arguments import MEANT

    through = run.launch.through
    names = {(setting.origin.span, setting.origin.flag): name for name, setting in run.training.top.settings()}
    known = (*sorted(run.training.known), *LAUNCHER_FLAGS)
    for place in error.because:
        name = names.get((place.origin.span, place.origin.flag), error.flag)
        meant = MEANT.get(name)
        near = None if meant is not None else suggested(name, known)
        yield Found(
            f"neither {through} nor accelerate launch knows {name if place.origin.flag is None else f'--{name}'}",
            place=place,
            label=f"{error.type}: {error.message}",
            fact=f"its name is {meant}" if meant is not None else f"did you mean {near}?" if near else "",
        )


@rule(
    "FP319",
    "flag-is-no-choice",
    ERROR,
    'accelerate 0.34.0..1.15.0 commands/launch.py "choices=[": argparse refuses any other word',
    "ran accelerate 1.15.0 [conformance flags-precision-unknown-1.15]: SystemExit",
    "ran accelerate 1.8.1 [conformance release-format-e5m2-1.8]: E5M2 is offered from 1.8.1 on",
    claims=("ends",),
)
def flag_is_no_choice(outcome: Outcome) -> Iterator[Found]:
    """A flag of `accelerate launch` with a value that it does not offer.

    Why it hurts: argparse ends the launch. Here, unlike in the file, upper and lower case count.

    Example: `accelerate launch --mixed_precision FP8 train.py`.

    Write instead: `--mixed_precision fp8`.
    """
    error = outcome.error_of("launcher-flag-choice", "launcher-flag-value")
    if error is None:
        return
    value = str(error.because[0].value)
    meant = next((word for word in (value.lower(), value.upper()) if word in error.choices), None)
    number = "a number" if error.flag in INTEGERS | REALS else "false,false,false"
    offered = ", ".join(repr(word) for word in error.choices) or number
    yield Found(
        f"--{error.flag} does not take {value}",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact=f"--{error.flag} {meant} is the spelling that accelerate launch takes"
        if meant is not None
        else f"what it takes: {offered}",
    )


@rule(
    "FP320",
    "fp8-flags-without-fp8",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/launch.py "current_env = setup_fp8_env(args, current_env)": for fp8 only',
    'accelerate 0.34.0..1.15.0 commands/launch.py "requires `--mixed_precision=fp8`": as its help says',
    "ran accelerate 1.15.0 [executed fp8-flags-without-fp8]: no FP8 variable reaches the run",
    claims=("lost",),
)
def fp8_flags_without_fp8(launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """Flags --fp8_... of `accelerate launch` for a run whose precision is not fp8.

    Why it hurts: the launcher hands them on for fp8 only. Naming a backend or a format does not ask for FP8.

    Example: `accelerate launch --fp8_format HYBRID train.py`.

    Write instead: `--mixed_precision fp8` as well.
    """
    precision = outcome.environment.get("ACCELERATE_MIXED_PRECISION")
    flags = [name for name in launch.flags if name.startswith("fp8_")]
    if launch.tool != "accelerate" or not flags or precision is None or precision.value == "fp8":
        return
    yield Found(
        f"--{flags[0]} has no effect: the precision is {precision.value}",
        place=launch.setting(flags[0]),
        label=f"{precision.value} comes from {precision.origin.describe()}",
        action=dropped(f"--{flags[0]} {launch.flags[flags[0]]}"),
        fact="--mixed_precision fp8 is what asks for FP8",
    )


@rule(
    "FP322",
    "trl-config-is-bf16",
    ERROR,
    'trl 0.21.0..1.16.0 accelerate_configs/fsdp2.yaml "bf16": so are the others that TRL brings',
    'trl 0.21.0..1.16.0 accelerate_configs/multi_gpu.yaml "bf16": likewise',
    "ran trl 1.16.0, accelerate 1.15.0 [executed trl-files-say-bf16]: all of them say bf16",
    claims=("ignored",),
)
def trl_config_is_bf16(launch: Launch, requested: Requested) -> Iterator[Found]:
    """`trl ... --accelerate_config fsdp2` and FP8: the Accelerate files that TRL brings are all bf16.

    Why it hurts: the name stands for a file inside TRL. Your own Accelerate file is not read.

    Example: `trl sft --config cfg.yaml --accelerate_config multi_gpu`, beside an accel.yaml that says fp8.

    Write instead: `trl sft --config cfg.yaml --accelerate_config accel.yaml`.
    """
    if launch.config_file not in starter(launch).shipped_configs or not requested.fp8:
        return
    if launch.flag("mixed_precision") is not None:
        return
    yield Found(
        f"--accelerate_config {launch.config_file} is TRL's own file, and says bf16",
        place=requested.fp8[0],
        label="this does not reach the run",
        fact="--accelerate_config takes a file of your own, too: accel.yaml",
    )


# What is true of each.
_NAMED_ONCE = {
    "accelerate-config-twice": "the Accelerate file is named once: in this file, or on the command line",
    "accelerate-config-by-equals": "with a blank in the place of the equals sign it is taken",
    "accelerate-config-null": "without the entry no file is named",
}


@rule(
    "FP340",
    "trl-config-not-taken",
    ERROR,
    'trl 1.16.0 cli/accelerate_config.py " not in launch_args": --accelerate_config is a word of its own',
    "ran trl 1.16.0 [command trl-file-config-twice-1.16]: SystemExit",
    "ran trl 1.16.0 [command trl-sft-config-by-equals-1.16]: SystemExit",
    "ran trl 1.16.0 [command third-trl-config-equals]: SystemExit, of --config=FILE",
    "ran trl 1.16.0 [command trl-file-config-null-1.16]: ValueError",
    claims=("ends",),
)
def trl_config_not_taken(outcome: Outcome) -> Iterator[Found]:
    """A file that is named to TRL's command in a way that it does not take.

    Why it hurts: TRL makes --config_file of the first --accelerate_config, the file's own key before the command's
    flag, and hands what is left on to accelerate launch, which has no such flag and ends. With an equals sign TRL does
    not see it, and not its own --config either. Null in the file is taken for the name None.

    Example: `trl sft --config cfg.yaml --accelerate_config accel.yaml`, where cfg.yaml has `accelerate_config: fsdp2`.

    Write instead: one of them, the flag with a blank before its value.
    """
    error = outcome.error_of("accelerate-config-twice", "accelerate-config-by-equals", "accelerate-config-null")
    if error is None:
        return
    (named,) = error.because
    is_own = str(named.value).partition("=")[0] == "--config"
    which = "its own" if is_own else "the Accelerate"
    yield Found(
        f"TRL's command does not take {which} file as it is named",
        place=named,
        label=f"{error.type}: {error.message}",
        fact=_NAMED_ONCE[error.code] if not is_own or error.code != "accelerate-config-twice" else "it takes one file",
    )


@rule(
    "FP342",
    "trl-without-model-or-data",
    ERROR,
    "ran trl 1.16.0 [command fourth-left-trl-sft-data]: ValueError: Either `datasets` or `dataset_name`",
    "ran trl 1.16.0 [command fourth-left-trl-sft-model]: AttributeError: 'NoneType' object has no attribute",
    "ran trl 0.24.0 [command fourth-left-trl-sft-model-old]: OSError",
    claims=("ends",),
)
def trl_without_model_or_data(outcome: Outcome) -> Iterator[Found]:
    """TRL's own script, and nothing says which model it trains, or on what.

    Why it hurts: the script ends. Which of the two it asks for first, and how it ends, hangs on the release: without a
    model an AttributeError of 'NoneType' comes out of the trainer.

    Example: `trl sft --config cfg.yaml`, where cfg.yaml has no `dataset_name`.

    Write instead: `model_name_or_path` and `dataset_name` in the file, or as flags of the command.
    """
    error = outcome.error_of("trainer-without-model", "trainer-without-data")
    if error is None:
        return
    lacks_model = error.code == "trainer-without-model"
    yield Found(
        f"nothing says {'which model' if lacks_model else 'on which dataset'} trl {error.because[0].value} trains",
        place=error.because[0],
        label=f"{error.type}: {error.message}",
        fact="model_name_or_path says it" if lacks_model else "dataset_name says it, or a list under datasets",
    )
