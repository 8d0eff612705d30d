"""FP2xx: keys and values of fp8_config: read by nothing, refused, or without effect."""

from __future__ import annotations

from fp8check.rules.catalog.shared_fixes import upgraded
from fp8check.rules.edits.fix import safe, unsafe
from fp8check.rules.engine.definition import ERROR, WARNING, Found, Related, rule
from fp8check.rules.engine.requirements import reached, require_prediction
from fp8check.rules.outcome.launcher import BOOLEANS
from fp8check.rules.releases.accelerate_keys import FP8_KEYS, OPTIONS, WIZARD_KEYS
from fp8check.rules.releases.behaviors import Accelerate
from fp8check.rules.releases.readers import backend_meant
from fp8check.rules.releases.recipes import requested_scalings
from fp8check.rules.releases.versions import at_least
from fp8check.rules.settings.edits import delete, rename, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fp8check.rules.edits.fix import Edit, Fix
    from fp8check.rules.engine.inputs import Requested
    from fp8check.rules.outcome import Outcome
    from fp8check.rules.releases.errors import ErrorCode
    from fp8check.rules.settings.accelerate import AccelerateConfig
    from fp8check.rules.settings.launch import Launch
    from fp8check.rules.settings.values import Setting
    from fp8check.rules.trainers.run import Run


@rule(
    "FP201",
    "backend-spelling",
    ERROR,
    'accelerate 1.9.0..1.15.0 utils/dataclasses.py "class FP8BackendType": NO, TE, MSAMP and AO, in capitals',
    "ran accelerate 1.15.0 [conformance file-backend-lower-1.15]: ValueError 'te' is not a valid FP8BackendType",
    "ran accelerate 1.15.0 [conformance file-backend-unquoted-no-1.15]: an unquoted NO arrives as False",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl backend-te]: ValueError in Accelerator()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl backend-torchao]: ValueError in Accelerator()",
    claims=("ends",),
)
def backend_spelling(accelerate: AccelerateConfig, launch: Launch, outcome: Outcome) -> Iterator[Found]:
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
    if not stack.does(Accelerate.BACKEND_FROM_ENVIRONMENT):
        return
    unquoted = backend.value is False
    name = "NO" if unquoted else str(backend.value)
    meant = backend_meant(name)
    if meant == backend.value or outcome.starts:  # nobody asks for it: another setting counts
        return
    yield Found(
        f"backend: {name} is {'read as the boolean false' if unquoted else 'not a backend'}",
        place=backend,
        label=reached(
            outcome,
            f"Accelerator() raises ValueError: {str(backend.value)!r} is not a valid FP8BackendType",
            "unknown-backend-variable",
        ),
        notes=("case matters; the names are TE, AO, MSAMP and NO",),
        fact="" if meant is not None else "TE is Transformer Engine, AO is torchao",
        fix=safe(replace(backend, meant)) if meant is not None else None,
    )


@rule(
    "FP202",
    "dead-wizard-key",
    WARNING,
    'accelerate 0.34.0..1.15.0 commands/config/cluster.py "amax_history_length" "amax_compute_algorithm" '
    '"optimization_level": what the wizard writes',
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py !"AMAX_HISTORY_LENGTH" "AMAX_HISTORY_LEN": what the runtime reads',
    "ran accelerate 1.15.0 [conformance file-te-wizard-1.15]: history 16 becomes 1024",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl wizard-keys]: history 1024",
    claims=("ignored",),
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
        fact, fix = _named(accelerate, setting, read, "", safe)
        yield Found(
            f"{key} is read by nothing",
            place=setting,
            label=f"exported as ACCELERATE_FP8_{key.upper()}, which no release reads",
            notes=("`accelerate config` writes this key; its runtime reads another name",),
            fact=fact,
            fix=fix,
        )


@rule(
    "FP203",
    "unread-fp8-key",
    WARNING,
    'accelerate 1.5.2..1.15.0 utils/launch.py "if arg.startswith(": any key that begins with fp8_ is exported',
    'accelerate 1.10.1 utils/dataclasses.py !"USE_MXFP8_BLOCK_SCALING": it came with 1.11',
    'accelerate 1.12.0 utils/dataclasses.py !"PAD_INNER_DIM": it came with 1.13',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl typing-mistake]: accepted, and history 1024",
    claims=("ignored",),
)
def unread_fp8_key(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A key of fp8_config that nothing reads in the accelerate release at hand.

    Why it hurts: at the top level of the file an unknown key is an error, in fp8_config it is accepted without a
    word: a typing mistake looks like a setting.

    Example: `amax_histroy_len: 16` under fp8_config.

    Write instead: the key that Accelerate reads.
    """
    version, instead = outcome.stack.version("accelerate"), None
    for key, setting in accelerate.fp8.settings():
        name = key if key in FP8_KEYS else key.removeprefix("fp8_")
        since = FP8_KEYS.get(name)
        if key in WIZARD_KEYS or (since is not None and at_least(version, *since)):
            continue
        if since is not None:
            release = ".".join(str(part) for part in since)
            label = f"{outcome.stack.name('accelerate')} does not read it; {release} is the first that does"
            yield Found(
                f"{key} is read by nothing",
                place=setting,
                label=label,
                fact=f"accelerate {release} and newer read this key",
                action=upgraded(outcome, "accelerate"),
            )
            continue
        label = f"exported as ACCELERATE_FP8_{name.upper()}, which nothing reads"
        if instead is None:  # once: an import is not for nothing where thousands are misspelt
            instead = _instead_of(accelerate)
        fact, fix = instead(name, setting)
        yield Found(f"{key} is read by nothing", place=setting, label=label, fact=fact, fix=fix)


_READ = tuple(FP8_KEYS)
_WHAT_IS_READ = f"what is read: {', '.join(FP8_KEYS)}"  # one text, however many keys it is said of


def _instead_of(accelerate: AccelerateConfig) -> Callable[[str, Setting], tuple[str, Fix | None]]:
    """What says what is true of a key that nothing reads, and its fix."""
    from fp8check.rules.releases.similar import nearest, suggested  # few names are misspelt

    def instead(name: str, setting: Setting) -> tuple[str, Fix | None]:
        meant = nearest(name, _READ)
        if meant is not None:
            return _named(accelerate, setting, meant, f"it looks like a misspelling of {meant}", unsafe)
        perhaps = suggested(name, _READ)
        if perhaps is not None:
            return f"did you mean {perhaps}?", None
        fix = None if isinstance(setting.value, (dict, list)) and setting.value else safe(delete(setting))
        return _WHAT_IS_READ, fix

    return instead


def _named(
    accelerate: AccelerateConfig, setting: Setting, meant: str, fact: str, how: Callable[[Edit], Fix]
) -> tuple[str, Fix | None]:
    """The value under the name that is meant, if nobody has that name; a second one can go if it says the same."""
    bare = meant.removeprefix("fp8_")
    there = accelerate.fp8.get(bare) or accelerate.fp8.get(f"fp8_{bare}")
    if there is None:
        return fact, how(rename(setting, meant))
    if there.value == setting.value:
        return f"{meant} is there", safe(delete(setting))
    return f"{meant} is there, with another value", unsafe(delete(setting))


@rule(
    "FP204",
    "override-is-no-list",
    ERROR,
    'accelerate 1.9.0..1.15.0 utils/launch.py "= str(value[0])": the first three items of whatever the file holds',
    "ran accelerate 1.15.0 [conformance file-te-docs-1.15]: ValueError: invalid truth value (",
    "ran accelerate 1.15.0 [conformance file-te-override-scalar-1.15]: TypeError: 'bool' object is not subscriptable",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl override-string]: ValueError in Accelerator(): "
    "invalid truth value (",
    "https://github.com/huggingface/accelerate/issues/3489",
    claims=("ends",),
)
def override_is_no_list(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """override_linear_precision is not a list of three booleans.

    Why it hurts: `(false, false, false)` is a string in YAML. The launcher hands on its first three characters, and
    Accelerator() dies of "invalid truth value (". A bare `false` ends the launcher itself.

    Example: `override_linear_precision: (false, false, false)`, as Accelerate's documentation shows it.

    Write instead: `override_linear_precision: [false, false, false]`, or no such line.
    """
    setting = accelerate.fp8.get("override_linear_precision")
    if setting is None or setting.value is None or not outcome.stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        return
    error = outcome.error
    if error is None:
        return  # nobody reads it
    value = setting.value
    if isinstance(value, list) and len(value) > 2 and all(str(part).lower() in BOOLEANS for part in value[:3]):
        return
    what = {"str": "a string", "bool": "one boolean", "dict": "a map"}.get(type(value).__name__, "a number")
    if isinstance(value, list):
        what = f"a list of {len(value)}"
    yield Found(
        f"override_linear_precision is {what}, not three booleans",
        place=setting,
        label=f"{error.type}: {error.message}",
        fact="Transformer Engine 2 ignores override_linear_precision in any case",
        fix=safe(replace(setting, meant)) if (meant := _three(value)) is not None else unsafe(delete(setting)),
    )


def _three(value: object) -> list[bool] | None:
    """The three booleans that a text such as `(false, false, true)` or one boolean evidently means."""
    if isinstance(value, bool):
        return [value] * 3
    words = [word.strip().lower() for word in str(value).strip("()[]").split(",")]
    return [word == "true" for word in words] if len(words) == 3 and {*words} <= {"true", "false"} else None


@rule(
    "FP207",
    "most-recent-unreachable",
    WARNING,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "if default_dict[k] != v": values equal to its own '
    "defaults are not handed over",
    "ran accelerate 1.15.0 [conformance file-te-most-recent-1.15]: Transformer Engine gets max",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl most-recent]: amax_compute_algo max",
    claims=("ignored",),
)
def most_recent_unreachable(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """`amax_compute_algo: most_recent` never reaches Transformer Engine.

    Why it hurts: it is Accelerate's own default, and values equal to a default are not handed over. Transformer
    Engine's default is `max`, so that is what runs.

    Example: `amax_compute_algo: most_recent` under fp8_config with backend TE.

    Write instead: `amax_compute_algo: max`, which is what runs; the other needs a recipe built in code.
    """
    written = requested.recipe.get("amax_compute_algo")
    if written is None or str(written.value).lower() != "most_recent":
        return
    require_prediction(outcome)
    if outcome.backend_name != "TE":
        return
    yield Found(
        "most_recent cannot be reached: the recipe will use max",
        place=written,
        label="Accelerate hands over only what differs from its own default, which this is",
        fact="Transformer Engine takes the maximum in any case",
        fix=safe(replace(written, "max")) if written.origin.span is not None else None,
    )


@rule(
    "FP208",
    "e5m2-is-refused",
    ERROR,
    'transformer_engine 1.13.0..2.20.2 common/recipe/__init__.py "Pure E5M2 training is not supported.": '
    "asserted by the recipe",
    'accelerate 1.8.1..1.15.0 commands/launch.py "E5M2": and offered by the launcher',
    "ran accelerate 1.15.0 [conformance file-te-e5m2-1.15]: ValidationError in prepare()",
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl e5m2]: ValidationError in prepare()",
    claims=("ends",),
)
def e5m2_is_refused(requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """`fp8_format: E5M2`: Accelerate offers it, Transformer Engine refuses it.

    Why it hurts: the run ends in prepare(), after the model is loaded. Releases before 1.9 refuse it themselves.

    Example: `fp8_format: E5M2` under fp8_config.

    Write instead: `fp8_format: HYBRID`, which is E4M3 forward and E5M2 for gradients.
    """
    written = requested.recipe.get("fp8_format")
    if written is None or str(written.value).upper() != "E5M2":
        return
    require_prediction(outcome)
    backend = requested.backend.value if requested.backend is not None else outcome.backend_name
    if outcome.starts or str(backend).upper() == "AO":
        return
    yield Found(
        "E5M2 alone cannot train",
        place=written,
        label="Transformer Engine: Pure E5M2 training is not supported.",
        fact="HYBRID is E4M3 forward and E5M2 for gradients",
        fix=unsafe(replace(written, "HYBRID")) if written.origin.span is not None else None,
    )


@rule(
    "FP209",
    "mxfp8-with-amax",
    ERROR,
    'accelerate 1.11.0..1.15.0 utils/transformer_engine.py "`amax_history_len` is not supported for MXFP8 '
    'block scaling.": raised in prepare()',
    'accelerate 1.11.0..1.15.0 utils/transformer_engine.py "`amax_compute_algo` is not supported for MXFP8 '
    'block scaling.": likewise',
    "ran accelerate 1.15.0 [conformance file-te-mxfp8-amax-1.15]: ValueError in prepare()",
    claims=("ends",),
)
def mxfp8_with_amax(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """MXFP8 block scaling together with amax options of delayed scaling.

    Why it hurts: MXFP8 keeps no amax history, and Accelerate raises in prepare() when one is set.

    Example: `use_mxfp8_block_scaling: true` and `amax_history_len: 16`.

    Write instead: either of them.
    """
    if not accelerate.wants_fp8() or outcome.starts:
        return
    for scaling, requested in requested_scalings(accelerate.fp8, outcome.stack):
        for key, harmless in scaling.excludes:
            written = accelerate.fp8.get(key)
            if written is None or written.value is None or str(written.value).lower() == harmless:
                continue
            yield Found(
                f"{key} cannot be combined with {scaling.called} block scaling",
                place=written,
                label=reached(
                    outcome,
                    f"prepare() raises ValueError: `{key}` is not supported for {scaling.called} block scaling.",
                    "block-scaling-with-amax",
                ),
                related=(Related(requested, "asked for here"),),
                fact=f"{scaling.called} keeps no amax history",
                fix=unsafe(delete(written)),
            )


@rule(
    "FP211",
    "option-dropped-by-te",
    WARNING,
    'transformer_engine 1.13.0..2.1.0 common/recipe/__init__.py "interval": still an argument',
    'transformer_engine 2.2.0..2.20.2 common/recipe/__init__.py !"interval": gone',
    'transformer_engine 1.13.0 common/recipe/__init__.py "override_linear_precision": still an argument',
    'transformer_engine 2.1.0..2.20.2 common/recipe/__init__.py !"override_linear_precision": gone',
    "measured NVIDIA H200 [docs/evidence/h200-cases.jsonl interval-override]: both accepted and dropped without a word",
    claims=("ignored",),
)
def option_dropped_by_te(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """A recipe option that the installed Transformer Engine drops without a word.

    Why it hurts: `interval` means nothing from Transformer Engine 2.2 on and `override_linear_precision` from 2.0 on.
    A high-precision wgrad that was asked for is computed in FP8.

    Example: `override_linear_precision: [false, false, true]` with Transformer Engine 2.9.

    Write instead: nothing; delete the line.
    """
    interval = accelerate.fp8.get("interval")
    override = accelerate.fp8.get("override_linear_precision")
    if not accelerate.wants_fp8() or (interval is None and override is None):
        return
    require_prediction(outcome)
    if outcome.backend_name != "TE":
        return
    version = outcome.stack.version("transformer_engine")
    if interval is not None and interval.value not in (None, 1) and at_least(version, 2, 2):
        yield Found(
            "interval has no effect",
            place=interval,
            label="Transformer Engine dropped it in 2.2",
            fix=safe(delete(interval)),
        )
    if override is not None and isinstance(override.value, list) and any(override.value) and at_least(version, 2, 0):
        yield Found(
            "override_linear_precision has no effect: all three GEMMs run in FP8",
            place=override,
            label="Transformer Engine dropped it in 2.0",
            fix=safe(delete(override)),
        )


@rule(
    "FP218",
    "option-of-other-backend",
    WARNING,
    'accelerate 1.13.0..1.15.0 utils/dataclasses.py "PAD_INNER_DIM" "OPT_LEVEL": each class reads its own',
    "ran accelerate 1.3.0 [conformance file-ao-no-pad-1.3]: Transformer Engine runs, and the option is not read",
    claims=("ignored",),
)
def option_of_other_backend(accelerate: AccelerateConfig, requested: Requested, outcome: Outcome) -> Iterator[Found]:
    """An option of fp8_config that the chosen backend does not have.

    Why it hurts: it is exported and read by nobody. Whoever wrote it believes that it counts.

    Example: `pad_inner_dim: false` with `backend: TE`, or `amax_history_len: 16` with `backend: AO`.

    Write instead: nothing; delete the line, or choose the backend that has the option.
    """
    backend = outcome.backend_name
    if requested.backend is None or backend not in _NAMES:
        return
    for key, setting in accelerate.fp8.settings():
        option = OPTIONS.get(key.removeprefix("fp8_"))
        if option is None or option.backend == backend or setting.value in (None, option.default):
            continue
        yield Found(
            f"{key} is an option of {_NAMES[option.backend]}, and the backend is {backend}",
            place=setting,
            label=f"{_NAMES[str(backend)]} does not read it",
            related=(Related(requested.backend, "chosen here"),),
            fix=safe(delete(setting)),
        )


_NAMES = {"TE": "Transformer Engine", "AO": "torchao", "MSAMP": "MS-AMP"}


@rule(
    "FP219",
    "option-is-no-number",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "self.margin = int(": int() of the text that the launcher exports',
    "ran accelerate 1.15.0 [conformance file-te-float-length-1.15]: ValueError, 16.0 is not a whole number",
    "ran accelerate 1.15.0 [conformance file-te-text-length-1.15]: ValueError, sixteen is none",
    claims=("ends",),
)
def option_is_no_number(outcome: Outcome, run: Run) -> Iterator[Found]:
    """A recipe option that has to be a whole number and is none: `16.0`, `1e3`, `sixteen`.

    Why it hurts: the launcher exports it as text, and Accelerator() dies of int().

    Example: `amax_history_len: 16.0` under fp8_config.

    Write instead: `amax_history_len: 16`.
    """
    setting = _refused(run, outcome, "recipe-number", "margin", "interval", "amax_history_len")
    if setting is None:
        return
    meant = _whole(str(setting.value))
    yield Found(
        f"{setting.value} is not a whole number",
        place=setting,
        label="Accelerator() raises ValueError: invalid literal for int()",
        notes=() if setting.origin.span is not None else (f"it comes from {setting.origin.describe()}",),
        fact="Accelerate takes a whole number here, as amax_history_len: 16"
        if meant is None
        else f"{meant} is the same number",
        fix=safe(replace(setting, meant)) if meant is not None and setting.origin.span is not None else None,
    )


def _refused(run: Run, outcome: Outcome, code: ErrorCode, *keys: str) -> Setting | None:
    """The setting that Accelerator() refuses with this error; None where it does not.

    Raises:
        Undecided: one of the keys is written, and whether it is read is not known.
    """
    if run.accelerate is not None and any(key in run.accelerate.fp8 for key in keys):
        require_prediction(outcome)
    error = outcome.error_of(code)
    return error.because[0] if error is not None else None


def _whole(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


@rule(
    "FP220",
    "option-is-no-choice",
    ERROR,
    'accelerate 0.34.0..1.15.0 utils/dataclasses.py "`fp8_format` must be" "`amax_compute_algo` must be": ValueError',
    'accelerate 1.4.0..1.15.0 utils/dataclasses.py "`opt_level` must be one of": ValueError',
    "ran accelerate 1.15.0 [conformance file-te-format-unknown-1.15]: ValueError",
    claims=("ends",),
)
def option_is_no_choice(outcome: Outcome, run: Run) -> Iterator[Found]:
    """A recipe option with a value that Accelerate does not offer.

    Why it hurts: Accelerator() raises ValueError. opt_level even counts upper and lower case.

    Example: `fp8_format: E3M4` under fp8_config.

    Write instead: `fp8_format: HYBRID` or E4M3; `amax_compute_algo: max`; `opt_level: O2`.
    """
    for key, (code, offered) in _CHOICES.items():
        setting = _refused(run, outcome, code, key)
        if setting is None:
            continue
        from fp8check.rules.releases.similar import nearest  # as above

        meant = nearest(str(setting.value).upper() if key != "amax_compute_algo" else str(setting.value), offered)
        yield Found(
            f"{setting.value} is not a value of {key}",
            place=setting,
            label=f"Accelerator() raises ValueError: `{key}` must be one of {' or '.join(offered)}",
            notes=() if setting.origin.span is not None else (f"it comes from {setting.origin.describe()}",),
            fact=f"Accelerate takes {' or '.join(offered)} for {key}",
            fix=unsafe(replace(setting, meant)) if meant is not None and setting.origin.span is not None else None,
        )


_CHOICES: Mapping[str, tuple[ErrorCode, tuple[str, ...]]] = {
    "fp8_format": ("unknown-format", ("HYBRID", "E4M3")),
    "amax_compute_algo": ("unknown-amax-algorithm", ("max", "most_recent")),
    "opt_level": ("unknown-opt-level", ("O1", "O2")),
}


@rule(
    "FP221",
    "option-is-no-truth-value",
    ERROR,
    'accelerate 1.0.1..1.15.0 utils/environment.py "invalid truth value": ValueError',
    "ran accelerate 1.15.0 [executed option-is-no-truth-value]: ValueError: invalid truth value maybe",
    claims=("ends",),
)
def option_is_no_truth_value(run: Run, outcome: Outcome) -> Iterator[Found]:
    """A switch of fp8_config that is neither true nor false.

    Why it hurts: Accelerator() raises ValueError: invalid truth value. An empty text counts as none, too.

    Example: `use_autocast_during_eval: maybe` under fp8_config.

    Write instead: `use_autocast_during_eval: true`.
    """
    setting = _refused(run, outcome, "recipe-switch", *_SWITCHES)
    override = run.accelerate.fp8.get("override_linear_precision") if run.accelerate is not None else None
    if setting is None or (override is not None and setting.origin.span == override.origin.span):
        return  # FP204 speaks of that
    yield Found(
        f"{setting.value!r} is neither true nor false",
        place=setting,
        label=f"Accelerator() raises ValueError: invalid truth value {setting.value}",
        notes=() if setting.origin.span is not None else (f"it comes from {setting.origin.describe()}",),
        fact="Accelerate takes true or false here",
    )


_SWITCHES = tuple(name for name, option in OPTIONS.items() if isinstance(option.default, bool))


@rule(
    "FP226",
    "key-in-two-spellings",
    WARNING,
    'accelerate 1.5.2..1.15.0 commands/launch.py "not key.startswith(": with and without fp8_, one argument',
    "ran accelerate 1.15.0 [executed key-in-two-spellings]: the last of the two is exported",
    claims=("nothing",),
)
def key_in_two_spellings(accelerate: AccelerateConfig, outcome: Outcome) -> Iterator[Found]:
    """An option of fp8_config stands there twice, once with the prefix fp8_ and once without.

    Why it hurts: both are the same argument of the launcher. The last one wins and the first one is dead text.

    Example: `fp8_format: E4M3` and, further down, `format: HYBRID`.

    Write instead: one of them.
    """
    if not accelerate.wants_fp8() or not outcome.stack.does(Accelerate.LAUNCHER_COPIES_FP8_CONFIG):
        return
    first: dict[str, Setting] = {}
    for key, winner in accelerate.fp8.settings():
        name = key.removeprefix("fp8_")
        if name not in OPTIONS and name != "backend":
            continue  # FP203
        loser = first.get(name)
        first[name] = winner
        if loser is None or loser.value == winner.value:
            continue
        yield Found(
            f"{name} is here in two spellings, with two values",
            place=winner,
            label="this one counts",
            related=(Related(loser, "this one is dropped"),),
            fix=safe(delete(loser)),
        )
