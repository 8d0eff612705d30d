"""FP2xx: FP8 settings in a training file or a DeepSpeed file: read by another tool, by nobody, or refused."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import moved, without
from fp8check.rules.edits.fix import unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import reached
from fp8check.rules.releases.readers import OF_ACCELERATE, reads, releases_of
from fp8check.rules.settings.edits import delete, insert, rename, replace
from fp8check.rules.settings.values import Section, Undecided
from fp8check.rules.trainers.axolotl import RECIPES
from fp8check.rules.trainers.data import is_no_argument
from fp8check.rules.trainers.registry import TRAINERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.releases.stack import Stack
    from fp8check.rules.settings.deepspeed import DeepSpeedConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.axolotl import Axolotl
    from fp8check.rules.trainers.run import Run
    from fp8check.rules.trainers.training import Training


def _sounds_like_fp8(name: str) -> bool:
    return name in OF_ACCELERATE or "fp8" in name.lower() or "float8" in name.lower()


@rule(
    "FP214",
    "key-of-another-file",
    WARNING,
    'transformers 4.45.2..5.24.0 hf_argparser.py "Some keys are not used by the HfArgumentParser": ValueError',
    'axolotl 0.19.0 utils/schemas/config.py "populate_by_name" !"mixed_precision": an unknown key is no error',
    "ran transformers 5.23.0 [executed key-of-another-file]: ValueError, mixed_precision is not used",
    'axolotl 0.18.0 utils/schemas/validation.py "check_fp8_config" !"resolve_fp8_recipe": no key yet',
    "ran trl 1.16.0 [executed trl-hands-on-flags]: the trl command hands mixed_precision on to accelerate launch",
    claims=("perhaps",),
)
def key_of_another_file(run: Run, training: Training, launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """A key in a training file whose trainer does not read it: one about FP8, or one that it had once.

    Why it hurts: it belongs in another file, or to another trainer. transformers, TRL and LLaMA-Factory stop at it,
    axolotl passes over it.

    Example: `mixed_precision: fp8` or `amax_history_len: 16` beside `output_dir`.

    Write instead: the key in the Accelerate file: `mixed_precision` at its top, the recipe under fp8_config.
    """
    if training.uses_megatron:
        return
    yield from _of_a_later_release(training, outcome.stack)
    yield from _of_an_earlier_release(training, launch, outcome)
    if run.script.parsed is not None and outcome.error_of("unknown-training-key") is not None:
        return  # the script's parser ends the run at its keys: FP338 speaks
    foreign = [name for name in training.top if name not in training.fp8_keys and _sounds_like_fp8(name)]
    for name, setting in training.top.settings(foreign):
        if (setting.origin.flag is not None or setting.origin.code is not None) and is_no_argument(name):
            continue  # the script's parser ends the run at it, or the class: FP338 or FP303 speaks
        if training.hands_on(name):
            if training.is_started_through(launch):
                continue  # its command hands on what its script does not know
            if launch.script is None:
                what = f"whether `{training.name}` reads {name}, or a script does"
                raise Undecided(what, "fp8check --launch with the command")
        fact, fix = _belongs(run, training, name, setting)
        yield Found(
            f"nothing reads {name} in a training file of {training.name}",
            place=setting,
            label=training.unread_key,
            fact=fact,
            fix=fix,
        )


def _of_a_later_release(training: Training, stack: Stack) -> Iterator[Found]:
    """Keys that this release of the trainer does not read yet; one that stops at them says so by itself."""
    if not training.passes_over_unread_keys:
        return
    for name, setting in training.top.settings(training.fp8_keys):
        if not reads(training.fp8_keys, name, stack.version(training.name)):
            yield Found(
                f"{stack.name(training.name)} does not read {name}",
                place=setting,
                label=training.unread_key,
                fact=f"{training.name} {releases_of(training.fp8_keys, name)} reads this key",
                fix=without(setting),
            )


def _of_an_earlier_release(training: Training, launch: Launch, outcome: Outcome) -> Iterator[Found]:
    """Keys that the trainer had once, and whose place another has taken: what they say is not read."""
    for name in training.passed_over(launch, outcome.run.facts):
        setting = training.get(name)
        written = next(iter(setting.overrode), None) if setting is not None else None
        if written is None or written.value is None:
            continue
        from fp8check.rules.releases.training_arguments import MEANT  # few files have such a key

        meant = MEANT[name]
        yield Found(
            f"{outcome.stack.name(training.name)} does not read {name}",
            place=written,
            label=f"it passes over a key that none of its classes has; {meant} holds",
            fact=f"its name is {meant}",
            fix=unsafe(rename(written, meant)) if meant not in training.top else without(written),
        )


def _belongs(run: Run, training: Training, name: str, setting: Setting) -> tuple[str, Fix | None]:
    """What is true of a key, and its fix: a value that belongs elsewhere goes there, or stays."""
    top, recipe = (run.accelerate.top, run.accelerate.fp8) if run.accelerate is not None else (Section(), Section())
    if name == "mixed_precision":
        return _into(top, name, setting, "it is a key of the Accelerate file, which accelerate launch reads")
    if name in OF_ACCELERATE and name != "fp8_config":
        return _into(recipe, name, setting, "it is a key of fp8_config in the Accelerate file")
    owners = [trainer.name for trainer in TRAINERS if name in trainer.fp8_keys]
    if owners:
        whose = f"it is a key of {' and '.join(owners)}"
        return f"{whose}; here FP8 is mixed_precision: fp8 of the Accelerate file", without(setting)
    from fp8check.rules.releases.similar import nearest, suggested  # few names are misspelt

    own = [key for key in training.fp8_keys if key not in training.top]
    near = nearest(name, own)
    if near is not None and not isinstance(setting.value, (dict, list)):
        return f"it looks like a misspelling of {near}", unsafe(rename(setting, near))
    perhaps = suggested(name, (*OF_ACCELERATE, *training.fp8_keys))
    return (f"did you mean {perhaps}?", None) if perhaps is not None else ("", without(setting))


def _into(section: Section, name: str, setting: Setting, fact: str) -> tuple[str, Fix | None]:
    there = section.get(name)
    if there is not None and there.value == setting.value:
        return "the Accelerate file says it already", without(setting)
    return fact, moved(setting, section, name)


@rule(
    "FP215",
    "deepspeed-knows-no-fp8",
    WARNING,
    "ran deepspeed 0.19.8 [executed deepspeed-fp8-section]: accepted, and no attribute of the configuration has it",
    claims=("ignored",),
)
def deepspeed_knows_no_fp8(deepspeed: DeepSpeedConfig, requested: Requested) -> Iterator[Found]:
    """An fp8 section in a DeepSpeed file: DeepSpeed has no FP8 training.

    Why it hurts: unknown sections are accepted without a word. FP8 under DeepSpeed comes from Accelerate,
    or not at all.

    Example: `"fp8": {"enabled": true}` beside `"bf16"`.

    Write instead: `mixed_precision: fp8` for Accelerate, on 1.11 or newer.
    """
    for name, setting in deepspeed.top.settings():
        if not _sounds_like_fp8(name):
            continue
        yield Found(
            f"DeepSpeed does not read {name}",
            place=setting,
            label="accepted without a word, and without effect",
            fact="FP8 under DeepSpeed is Accelerate's: mixed_precision: fp8"
            if requested.concerns_fp8 or name != "mixed_precision" or setting.shown == "fp8"
            else "the precision stands in its bf16 and fp16 sections",
            fix=unsafe(delete(setting)),
        )


@rule(
    "FP228",
    "axolotl-recipe-without-fp8",
    ERROR,
    'axolotl 0.19.0 utils/schemas/validation.py "`fp8_config` requires": ValueError',
    "ran axolotl 0.19.0 [command axolotl-config-without-fp8]: ValidationError",
    claims=("ends", "ignored"),
)
def axolotl_recipe_without_fp8(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """axolotl's `fp8_config` without `fp8: true`.

    Why it hurts: axolotl refuses the file.

    Example: `fp8_config: {recipe: rowwise}` and no `fp8` line.

    Write instead: `fp8: true` as well.
    """
    recipe = axolotl.get("fp8_config")
    if recipe is None or recipe.value is None or axolotl.on("fp8"):
        return
    written = axolotl.get("fp8")
    yield Found(
        "fp8_config without fp8: true",
        place=recipe,
        label=_refused(
            outcome, "axolotl raises ValidationError: `fp8_config` requires `fp8: true`", "fp8-config-without-fp8"
        ),
        fix=unsafe(replace(written, True) if written is not None else insert(axolotl.top, "fp8", True)),
    )


def _refused(outcome: Outcome, text: str, *codes: ErrorCode) -> str:
    """What axolotl says to its fp8_config, which releases before 0.19 do not read."""
    return (
        f"{outcome.stack.name('axolotl')} passes over fp8_config" if outcome.starts else reached(outcome, text, *codes)
    )


# One error of pydantic's lists all that these validators refuse.
_GATHER_REFUSED: tuple[ErrorCode, ...] = ("all-gather-not-tensorwise", "all-gather-without-fsdp2")


@rule(
    "FP229",
    "gather-needs-tensorwise",
    ERROR,
    'axolotl 0.19.0 utils/schemas/validation.py "only supports the tensorwise ": ValueError',
    'torchao 0.13.0..0.18.0 float8/config.py "enable_fsdp_float8_all_gather only supports tensorwise": asserted',
    "ran axolotl 0.19.0 [command axolotl-gather-rowwise]: ValidationError",
    claims=("ends", "FP8"),
)
def gather_needs_tensorwise(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """float8 all-gather together with a rowwise recipe.

    Why it hurts: torchao gathers weights with one scale a tensor only. axolotl refuses the file, torchao the recipe.

    Example: `fp8_config: {recipe: rowwise}` with `fp8_enable_fsdp_float8_all_gather: true`.

    Write instead: `recipe: tensorwise`, or no all-gather.
    """
    recipe = axolotl.fp8_config.get("recipe")
    gather = axolotl.get("fp8_enable_fsdp_float8_all_gather")
    if recipe is None or gather is None or not gather.value:
        return
    if recipe.value not in RECIPES or recipe.value == "tensorwise":
        return
    yield Found(
        f"float8 all-gather does not go with recipe: {recipe.value}",
        place=gather,
        label=_refused(
            outcome, "axolotl raises ValidationError: it only supports the tensorwise recipe", *_GATHER_REFUSED
        ),
        related=(Related(recipe, "chosen here"),),
        fix=unsafe(replace(recipe, "tensorwise")),
    )


@rule(
    "FP230",
    "gather-needs-fsdp2",
    ERROR,
    'axolotl 0.19.0 utils/schemas/validation.py "fp8_enable_fsdp_float8_all_gather requires FSDP2": ValueError',
    "https://github.com/pytorch/ao/issues/1605",
    "ran axolotl 0.19.0 [command axolotl-gather-without-fsdp]: ValidationError",
    claims=("ends",),
)
def gather_needs_fsdp2(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """axolotl's float8 all-gather without FSDP2.

    Why it hurts: axolotl refuses the file. `fsdp_version` has to stand at the top level: under fsdp_config it does not
    count for this check.

    Example: `fp8_enable_fsdp_float8_all_gather: true` with no `fsdp_version` line.

    Write instead: `fsdp_version: 2` at the top level.
    """
    gather = axolotl.get("fp8_enable_fsdp_float8_all_gather")
    version = axolotl.get("fsdp_version")
    if gather is None or not gather.value:
        return
    if version is not None and version.value == 2:
        return
    below = axolotl.top.section("fsdp_config").get("fsdp_version")
    related = tuple(Related(setting, "this does not count") for setting in (version, below) if setting is not None)
    yield Found(
        "float8 all-gather needs fsdp_version: 2 at the top level",
        place=gather,
        label=reached(outcome, "axolotl raises ValidationError: it requires FSDP2", *_GATHER_REFUSED),
        related=related,
        fix=unsafe(replace(version, 2) if version is not None else insert(axolotl.top, "fsdp_version", 2)),
    )


@rule(
    "FP231",
    "axolotl-recipe-refused",
    ERROR,
    'axolotl 0.19.0 utils/schemas/fp8.py "extra=" "forbid" "rowwise_with_gw_hp": one key, three values',
    "ran axolotl 0.19.0 [command axolotl-fp8-recipe-typo]: ValidationError",
    claims=("ends", "ignored"),
)
def axolotl_recipe_refused(axolotl: Axolotl, outcome: Outcome) -> Iterator[Found]:
    """A key or a value under axolotl's `fp8_config` that it does not have.

    Why it hurts: the section has one key, `recipe`, and axolotl refuses any other. Keys of Accelerate's section of the
    same name do not belong here.

    Example: `fp8_config: {backend: TE, fp8_format: HYBRID}`.

    Write instead: `recipe: tensorwise`, `rowwise` or `rowwise_with_gw_hp`.
    """
    for key, setting in axolotl.fp8_config.settings():
        if key == "recipe" and setting.value in RECIPES:
            continue
        what = f"{setting.value} is no recipe" if key == "recipe" else f"fp8_config of axolotl has no {key}"
        accelerate = key in OF_ACCELERATE or key == "backend"
        yield Found(
            what,
            place=setting,
            label=_refused(
                outcome, "axolotl refuses the file with a ValidationError", "axolotl-recipe-refused", *_GATHER_REFUSED
            ),
            notes=("it is a key of Accelerate's fp8_config; axolotl always takes torchao",) if accelerate else (),
            fact=f"{', '.join(RECIPES[:2])} and {RECIPES[2]} are its recipes",
        )


@rule(
    "FP232",
    "axolotl-takes-torchao",
    WARNING,
    'axolotl 0.19.0 core/trainers/base.py "AORecipeKwargs" !"TERecipeKwargs": the only recipe that it hands over',
    "ran axolotl 0.19.0 [command axolotl-fp8-over-file]: AO, where the file says TE",
    claims=("ignored",),
)
def axolotl_takes_torchao(axolotl: Axolotl, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """axolotl's `fp8: true` takes torchao, whatever backend the Accelerate file names.

    Why it hurts: axolotl hands Accelerator a torchao recipe of its own. The fp8_config of the Accelerate file is lost.

    Example: `fp8: true` in the axolotl file, and `backend: TE` in the Accelerate file.

    Write instead: `backend: AO` there, or nothing; the recipe goes into axolotl's own fp8_config.
    """
    if not axolotl.on("fp8") or requested.backend is None:
        return
    if outcome.backend is None or outcome.backend.value == requested.backend.value:
        return
    yield Found(
        f"axolotl takes torchao, not {requested.backend.value}",
        place=requested.backend,
        label="axolotl hands Accelerator its own recipe",
        related=(Related(axolotl.get("fp8"), "this asks axolotl"),),
        fact="the recipe stands under fp8_config of the axolotl file",
        fix=unsafe(replace(requested.backend, "AO")),
    )
