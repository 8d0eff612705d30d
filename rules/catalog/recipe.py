"""FP2xx: backend and recipe: keys that nobody reads, values that cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fp8check.rules.catalog.rule import ERROR, INFO, WARNING, Found, Related, rule
from fp8check.rules.outcome.trainer import llamafactory_fp8
from fp8check.rules.settings.accelerate import FP8_KEYS, WIZARD_KEYS
from fp8check.rules.settings.versions import at_least

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.catalog.context import Asked
    from fp8check.rules.outcome import Outcome, Run
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.training import Training
    from fp8check.rules.settings.values import Setting

_BACKENDS = ("TE", "AO", "MSAMP", "NO")
_MEANT = {"transformer_engine": "TE", "transformerengine": "TE", "transformer-engine": "TE", "torchao": "AO"}
_MEANT |= {"ms-amp": "MSAMP", "ms_amp": "MSAMP", "auto": "NO"}


@rule(
    "FP201",
    "backend-spelling",
    ERROR,
    "accelerate 1.9.0 to 1.15.0 utils/dataclasses.py FP8BackendType: exactly NO, TE, MSAMP, AO",
    "executed on accelerate 1.10.1 and 1.15.0: te, ao, torchao, auto, Te, msamp",
    "https://github.com/huggingface/accelerate: --fp8_backend takes only lower case, the reader only upper case",
)
def backend_spelling(accelerate: AccelerateConfig, asked: Asked, launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """A backend name that Accelerate does not take: `te`, `torchao`, `ao`, ...

    Why it hurts: from accelerate 1.9 on only TE, AO, MSAMP and NO are names, and anything else ends the run in
    Accelerator(). The flag --fp8_backend takes only lower case, so it can never work there.

    Example: `backend: te` under fp8_config.

    Write instead: `backend: TE`, or `backend: AO` for torchao.
    """
    backend = accelerate.fp8.get("backend")
    stack = outcome.stack
    if backend is None or backend.value is None or not accelerate.wants_fp8() or launch.flag("fp8_backend") is not None:
        return
    if not stack.does("accelerate", "backend from the environment") or str(backend.value) in _BACKENDS:
        return
    unquoted = backend.value is False
    name = "NO" if unquoted else str(backend.value)
    meant = _MEANT.get(name.lower(), name.upper())
    instead = meant if meant in _BACKENDS else "TE (Transformer Engine) or AO (torchao)"
    yield Found(
        f"backend: {name} is {'read as the boolean false' if unquoted else 'not a backend'}",
        backend,
        f"Accelerator() raises ValueError: {str(backend.value)!r} is not a valid FP8BackendType",
        notes=("upper and lower case count; the names are TE, AO, MSAMP and NO",),
        help=f'write backend: "{instead}"' if unquoted else f"write backend: {instead}",
    )


@rule(
    "FP202",
    "dead-wizard-key",
    WARNING,
    "accelerate 0.34.0 to 1.15.0 commands/config/cluster.py writes it, utils/dataclasses.py reads another name",
    "executed on accelerate 1.9.0 to 1.15.0: wizard's 16 and max become 1024 and most_recent",
)
def dead_wizard_key(accelerate: AccelerateConfig) -> Iterator[Found]:
    """A key that `accelerate config` itself writes and that Accelerate does not read.

    Why it hurts: the official wizard asks for the amax history and writes your answer under a name that nothing
    reads. The default is used instead, silently.

    Example: `amax_history_length: 16` under fp8_config.

    Write instead: `amax_history_len: 16`, `amax_compute_algo: max`, `opt_level: O2`.
    """
    for key, read in WIZARD_KEYS.items():
        setting = accelerate.fp8.get(key)
        if setting is None:
            continue
        yield Found(
            f"{key} is read by nothing",
            setting,
            f"exported as ACCELERATE_FP8_{key.upper()}, which no release reads",
            notes=("`accelerate config` writes this key; its runtime reads another name",),
            help=f"rename it to {read}",
        )


@rule(
    "FP203",
    "unread-fp8-key",
    WARNING,
    "accelerate 1.5.0 to 1.15.0 utils/launch.py setup_fp8_env exports any key; utils/dataclasses.py reads twelve",
    "executed on accelerate 1.15.0: total_nonsense: 7 exported, no warning",
)
def unread_fp8_key(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A key of fp8_config that nothing reads in the accelerate release at hand.

    Why it hurts: at the top level of the file an unknown key is an error, in fp8_config it is accepted without a
    word: a typing mistake looks like a setting.

    Example: `amax_histroy_len: 16` under fp8_config.

    Write instead: the key that Accelerate reads.
    """
    version = outcome.stack.version("accelerate")
    for key in accelerate.fp8:
        if key in WIZARD_KEYS:
            continue
        name = key.removeprefix("fp8_") if key not in FP8_KEYS else key
        since = FP8_KEYS.get(name)
        if since is not None and at_least(version, *since):
            continue
        label = f"exported as ACCELERATE_FP8_{name.upper()}, which nothing reads"
        if since is not None:
            release = ".".join(str(part) for part in since)
            help_ = f"use accelerate {release} or newer, or delete the key"
            label = f"{outcome.stack.name('accelerate')} does not read it; {release} is the first that does"
        else:
            help_ = _did_you_mean(name)
        yield Found(f"{key} is read by nothing", accelerate.fp8.get(key), label, help=help_)


def _did_you_mean(key: str) -> str:
    import difflib

    near = difflib.get_close_matches(key, FP8_KEYS, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"delete it; what is read: {', '.join(FP8_KEYS)}"


@rule(
    "FP204",
    "override-is-no-list",
    ERROR,
    "accelerate 1.5.0 to 1.15.0 utils/launch.py: str(value[0..2]) of whatever the file holds",
    "executed on accelerate 1.9.0 to 1.15.0: ValueError invalid truth value (; TypeError 'bool' object is not subscriptable",
    "the YAML in Accelerate's own documentation has it",
)
def override_is_no_list(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """override_linear_precision is not a list of three booleans.

    Why it hurts: `(false, false, false)` is a string in YAML. The launcher hands on its first three characters, and
    Accelerator() dies of "invalid truth value (". A bare `false` ends the launcher itself.

    Example: `override_linear_precision: (false, false, false)`, as Accelerate's documentation shows it.

    Write instead: `override_linear_precision: [false, false, false]`, or no such line.
    """
    setting = accelerate.fp8.get("override_linear_precision")
    if setting is None or setting.value is None or not outcome.stack.does("accelerate", "launcher copies fp8_config"):
        return
    value = setting.value
    if isinstance(value, list) and len(value) == 3 and all(isinstance(part, bool) for part in value):
        return
    what = "a string" if isinstance(value, str) else f"a {type(value).__name__}"
    if isinstance(value, list):
        what = f"a list of {len(value)}"
    happens = "this is what the launcher takes apart, character by character" if isinstance(value, str) else ""
    if outcome.error is not None:
        happens = f"{outcome.error.type}: {outcome.error.message}"
    yield Found(
        f"override_linear_precision is {what}, not three booleans",
        setting,
        happens,
        help="write [false, false, false], or delete the line: Transformer Engine 2 ignores it anyway",
    )


@rule(
    "FP205",
    "recipe-not-as-written",
    ERROR,
    "accelerate 1.9.0 to 1.15.0 accelerator.py: no recipe handler is built unless the precision is fp8",
    "accelerate 1.4.0 to 1.15.0 accelerator.py _prepare_deepspeed: passes fp8_recipe_handler, which is None",
    "NVIDIA H200: Trainer with bf16=True runs HYBRID/1024 instead of E4M3/16",
)
def recipe_not_as_written(asked: Asked, outcome: Outcome, run: Run) -> Iterator[Found]:
    """The recipe that runs is not the one that was written.

    Why it hurts: FP8 runs, with another format or amax history than the file says, and nothing reports it.

    Example: `fp8_format: E4M3` in the Accelerate file, while `bf16: true` in the training file leaves the default
    recipe HYBRID.

    Write instead: depends on what replaced it; the finding says.
    """
    recipe = outcome.prepared.recipe
    if recipe is None or outcome.backend is None or outcome.backend.value != "TE" or _fixed(run, outcome):
        return
    for name, written in asked.recipe.items():
        real = recipe.get(name)
        if real is None or _same(written.value, real.value) or _unreachable(name, written):
            continue
        yield Found(
            f"{name} will be {real.value}, not {written.value}",
            written,
            f"the recipe that runs has {real.value}",
            notes=(_why(outcome),),
            help=_how(outcome),
        )


def _same(written: object, real: object) -> bool:
    return str(written).lower() == str(real).lower()


def _unreachable(name: str, written: Setting) -> bool:
    return name == "amax_compute_algo" and str(written.value).lower() == "most_recent"  # FP207


def _why(outcome: Outcome) -> str:
    state = outcome.accelerator
    if state is not None and state.distributed_type == "DEEPSPEED":
        return "under DeepSpeed Accelerate drops the recipe: only the deprecated FP8RecipeKwargs arrives there"
    if state is not None and state.mixed_precision.value != "fp8":
        return f"the precision is {state.mixed_precision.value}, so no recipe is built, while the backend converts the layers"
    if not outcome.stack.does("accelerate", "launcher copies fp8_config"):
        return f"{outcome.stack.name('accelerate')} does not read fp8_config at all: 1.4 is the first that does"
    return "another setting of the same name won; `fp8check outcome` prints which"


def _how(outcome: Outcome) -> str:
    state = outcome.accelerator
    if state is not None and state.distributed_type == "DEEPSPEED":
        return "pass kwargs_handlers=[FP8RecipeKwargs(backend='TE', ...)] in code, or run without DeepSpeed"
    if state is not None and state.mixed_precision.value != "fp8":
        return "make the precision fp8 (remove bf16/fp16 from the training file)"
    return "use accelerate 1.13 or newer, and unset what overrides this line"


def _fixed(run: Run, outcome: Outcome) -> bool:
    return outcome.handed is not None and outcome.handed.handler is not None and run.training.trainer == "llamafactory"


@rule(
    "FP206",
    "llamafactory-fixed-recipe",
    WARNING,
    "llamafactory 0.9.5 train/fp8_utils.py patch_accelerator_for_fp8: HYBRID, 16, max are literals",
    "executed: llamafactory 0.9.5 with accelerate 1.10.1 and a TE config of history 1024: history 16",
)
def llamafactory_fixed_recipe(run: Run, training: Training, asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8_backend: te` brings its own recipe and drops the one of the Accelerate file.

    Why it hurts: history 16, HYBRID and max are written into its code. Whatever fp8_config says about them is lost.

    Example: `fp8: true`, `fp8_backend: te`, and an Accelerate file with `amax_history_len: 1024`.

    Write instead: leave fp8 out of the training file and let the Accelerate file decide, without bf16.
    """
    recipe = outcome.prepared.recipe
    if recipe is None or not _fixed(run, outcome):
        return
    different = {
        name: written
        for name, written in asked.recipe.items()
        if name in recipe and not _same(written.value, recipe[name].value)
    }
    if not different:
        return
    first = next(iter(different.values()))
    words = ", ".join(f"{name} {recipe[name].value} instead of {written.value}" for name, written in different.items())
    yield Found(
        "LLaMA-Factory replaces the recipe of the Accelerate file with its own",
        training.get("fp8_backend"),
        "its code fixes HYBRID, amax history 16, max",
        (Related(first, "this is lost"),),
        (words,),
        "leave fp8, fp8_backend and bf16 out of the training file: then this recipe is used",
    )


@rule(
    "FP207",
    "most-recent-unreachable",
    WARNING,
    "accelerate 0.34.0 to 1.15.0 utils/dataclasses.py KwargsHandler.to_kwargs drops values equal to its defaults",
    "executed on accelerate 1.0.1, 1.10.1, 1.15.0: Transformer Engine gets max",
)
def most_recent_unreachable(asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """`amax_compute_algo: most_recent` never reaches Transformer Engine.

    Why it hurts: it is Accelerate's own default, and values equal to a default are not handed over. Transformer
    Engine's default is `max`, so that is what runs.

    Example: `amax_compute_algo: most_recent` under fp8_config with backend TE.

    Write instead: `amax_compute_algo: max`, which is what runs; the other needs a recipe built in code.
    """
    written = asked.recipe.get("amax_compute_algo")
    backend = outcome.backend.value if outcome.backend is not None else asked.backend and asked.backend.value
    if written is None or str(written.value).lower() != "most_recent" or backend != "TE":
        return
    yield Found(
        "most_recent cannot be reached: the recipe will use max",
        written,
        "Accelerate hands over only what differs from its own default, which this is",
        help="write amax_compute_algo: max, which is what runs",
    )


@rule(
    "FP208",
    "e5m2-is-refused",
    ERROR,
    "Transformer Engine 1.5 to 2.20 common/recipe/__init__.py: Pure E5M2 training is not supported.",
    "NVIDIA H200, Transformer Engine 2.20.2: pydantic ValidationError at prepare()",
)
def e5m2_is_refused(asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """`fp8_format: E5M2`: Accelerate offers it, Transformer Engine refuses it.

    Why it hurts: the run ends in prepare(), after the model is loaded. Releases before 1.9 refuse it themselves.

    Example: `fp8_format: E5M2` under fp8_config.

    Write instead: `fp8_format: HYBRID`, which is E4M3 forward and E5M2 for gradients.
    """
    written = asked.recipe.get("fp8_format")
    backend = outcome.backend.value if outcome.backend is not None else "TE"
    if written is None or str(written.value).upper() != "E5M2" or backend not in ("TE", None):
        return
    if not outcome.stack.does("accelerate", "launcher copies fp8_config"):
        return
    yield Found(
        "E5M2 alone cannot train",
        written,
        "Transformer Engine: Pure E5M2 training is not supported.",
        help="write fp8_format: HYBRID (E4M3 forward, E5M2 for gradients)",
    )


@rule(
    "FP209",
    "mxfp8-with-amax",
    ERROR,
    "accelerate 1.11.0 to 1.15.0 utils/transformer_engine.py apply_fp8_autowrap",
    "executed on accelerate 1.15.0: ValueError `amax_history_len` is not supported for MXFP8 block scaling.",
)
def mxfp8_with_amax(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """MXFP8 block scaling together with amax options of delayed scaling.

    Why it hurts: MXFP8 keeps no amax history, and Accelerate raises in prepare() when one is set.

    Example: `use_mxfp8_block_scaling: true` and `amax_history_len: 16`.

    Write instead: either of them.
    """
    asked = accelerate.fp8.get("use_mxfp8_block_scaling")
    if asked is None or not asked.value or not accelerate.wants_fp8():
        return
    if not outcome.stack.does("accelerate", "recipe reads mxfp8"):
        return
    for key, harmless in (("amax_history_len", "1024"), ("amax_compute_algo", "most_recent")):
        written = accelerate.fp8.get(key)
        if written is None or written.value is None or str(written.value).lower() == harmless:
            continue
        yield Found(
            f"{key} cannot be combined with MXFP8 block scaling",
            written,
            f"prepare() raises ValueError: `{key}` is not supported for MXFP8 block scaling.",
            (Related(asked, "asked for here"),),
            help=f"delete {key}: MXFP8 keeps no amax history",
        )


@rule(
    "FP210",
    "torchao-trains-nothing",
    ERROR,
    "accelerate 1.13.0 to 1.15.0 utils/dataclasses.py AORecipeKwargs: enable_fsdp_float8_all_gather defaults to true",
    "NVIDIA H200, accelerate 1.15.0, torchao 0.17.0: 13 of 13 converted weights unchanged after the step",
    "executed with torchao 0.13, 0.15 and 0.17 on accelerate 1.13 and 1.15",
)
def torchao_trains_nothing(asked: Asked, outcome: Outcome) -> Iterator[Found]:
    """With torchao, none of the converted weights is trained.

    Why it hurts: from accelerate 1.13 on the FSDP2 all-gather option is on by default. It puts a new parameter in
    the place of every converted weight, and outside FSDP2 nobody tells the optimizer. The loss goes down a little,
    through embeddings and norms; the Linear layers stay as they were loaded. Nothing is logged.

    Example: `backend: AO` in a single-GPU or DDP run on accelerate 1.15.

    Write instead: `enable_fsdp_float8_all_gather: false` under fp8_config.
    """
    if outcome.frozen is None or outcome.error is not None or outcome.prepared.coverage.converted == 0:
        return
    written = outcome.frozen if outcome.frozen.origin.span is not None else None
    place = written or asked.backend or (asked.fp8[0] if asked.fp8 else None)
    lora = outcome.run.training.uses_lora
    yield Found(
        "the weights that torchao converts will not be trained",
        place,
        "the optimizer keeps the weights from before the conversion",
        notes=(
            "enable_fsdp_float8_all_gather is on"
            + (f" by default in {outcome.stack.name('accelerate')}" if written is None else "")
            + " and this run is not FSDP2",
            *(("with LoRA of a rank divisible by 16, nothing at all is trained",) if lora else ()),
        ),
        help="write enable_fsdp_float8_all_gather: false under fp8_config of the Accelerate file",
    )


@rule(
    "FP211",
    "option-dropped-by-te",
    INFO,
    "Transformer Engine 2.0 drops override_linear_precision, 2.2 drops interval; pydantic swallows unknown arguments",
    "NVIDIA H200, Transformer Engine 2.20.2: accepted and silently dropped",
)
def option_dropped_by_te(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A recipe option that the installed Transformer Engine drops without a word.

    Why it hurts: `interval` means nothing from Transformer Engine 2.2 on and `override_linear_precision` from 2.0 on.
    A high-precision wgrad that was asked for is computed in FP8.

    Example: `override_linear_precision: [false, false, true]` with Transformer Engine 2.9.

    Write instead: nothing; delete the line.
    """
    if outcome.backend is None or outcome.backend.value != "TE" or not accelerate.wants_fp8():
        return
    version = outcome.stack.version("transformer_engine")
    interval = accelerate.fp8.get("interval")
    override = accelerate.fp8.get("override_linear_precision")
    if interval is not None and interval.value not in (None, 1) and at_least(version, 2, 2):
        yield Found(
            "interval has no effect", interval, "Transformer Engine dropped it in 2.2", help="delete the line"
        )
    if override is not None and isinstance(override.value, list) and any(override.value) and at_least(version, 2, 0):
        yield Found(
            "override_linear_precision has no effect: all three GEMMs run in FP8",
            override,
            "Transformer Engine dropped it in 2.0",
            help="delete the line",
        )


@rule(
    "FP212",
    "backend-not-named",
    WARNING,
    "accelerate 1.8.0 to 1.15.0 accelerator.py: torchao, then Transformer Engine, then MS-AMP",
    "NVIDIA H200, both installed, no backend: torchao",
)
def backend_not_named(asked: Asked, outcome: Outcome, accelerate: AccelerateConfig, packages: object) -> Iterator[Found]:
    """No backend is named, so the packages that happen to be installed choose it.

    Why it hurts: Accelerate takes torchao where it finds it, even if every other key of the section is Transformer
    Engine's. Installing or removing a package changes the recipe of the next run.

    Example: an fp8_config with `fp8_format` and `amax_history_len`, and no `backend`.

    Write instead: `backend: TE`, or `backend: AO`.
    """
    del packages  # which are installed decides here
    state = outcome.accelerator
    if state is None or not accelerate.wants_fp8() or state.mixed_precision.value != "fp8":
        return
    code = state.backend.origin.code or ""
    if "first one installed" not in code:
        return
    keys = [name for name in asked.recipe if state.backend.value == "AO"]
    lost = (f"{', '.join(keys)} belong to Transformer Engine and are ignored",) if keys else ()
    yield Found(
        f"no backend is named: Accelerate takes {state.backend.value}",
        accelerate.top.get("fp8_config") or accelerate.mixed_precision,
        "the first of torchao, Transformer Engine and MS-AMP that is installed",
        notes=lost,
        help=f"add backend: {'TE' if keys else state.backend.value} under fp8_config",
    )


@rule(
    "FP213",
    "llamafactory-backend-ignored",
    WARNING,
    "llamafactory 0.9.4, 0.9.5 train/fp8_utils.py: FP8_BACKEND is written, Accelerate reads ACCELERATE_FP8_BACKEND",
    "executed: torchao, msamp, auto and TE (upper case) all leave the choice to Accelerate",
)
def llamafactory_backend_ignored(run: Run, training: Training, outcome: Outcome) -> Iterator[Found]:
    """LLaMA-Factory's `fp8_backend` is looked at for `te` only.

    Why it hurts: any other value ends up in a variable that nothing reads. Accelerate then takes the backend that
    it finds, tensorwise; the rowwise recipe of LLaMA-Factory is built for a log line and thrown away.

    Example: `fp8: true` with `fp8_backend: torchao`.

    Write instead: the backend in the Accelerate file: `backend: AO`, with `enable_fsdp_float8_all_gather: false`.
    """
    backend = training.get("fp8_backend")
    if training.trainer != "llamafactory" or backend is None or llamafactory_fp8(run, outcome.stack) is None:
        return
    patched = outcome.stack.does("llamafactory", "patches Accelerator for te")
    state = outcome.accelerator
    if (backend.value == "te" and patched) or backend.value == "auto" or state is None:
        return
    wanted = _MEANT.get(str(backend.value).lower(), str(backend.value).upper())
    if state.backend.value == wanted == "TE" or state.mixed_precision.value != "fp8":
        return
    tensorwise = ("torchao runs tensorwise, not with LLaMA-Factory's rowwise recipe",) if wanted == "AO" else ()
    yield Found(
        f"fp8_backend: {backend.value} is not what decides: the backend will be {state.backend.value}",
        backend,
        "written to the variable FP8_BACKEND, which nothing reads",
        notes=(f"the backend comes from {state.backend.origin.describe()}", *tensorwise),
        help="name the backend in the Accelerate file and start with accelerate launch",
    )
