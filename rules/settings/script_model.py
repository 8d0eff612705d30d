"""What a script says of the model that it trains, of its batches and of its adapters; else nothing is said.

Looked for is what everybody writes: AutoModelForCausalLM.from_pretrained("org/name"), SFTTrainer(model="org/name"),
DataLoader(dataset, batch_size=4), tokenizer(text, truncation=True, max_length=2048), LoraConfig(r=16). Where two places
say different things of the same, neither counts.
"""

from __future__ import annotations

from fp8check.rules.settings.script import (
    ARGUMENTS,
    COMPILES,
    LOADER,
    PARSERS,
    REENTRANT,
    TRAINERS,
    WRAPS,
    WRITTEN_OUT,
    Unevaluated,
)
from fp8check.rules.settings.values import Later, Origin, Setting, SettingLater

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fp8check.rules.settings.script import Call, ScriptSource

# Trainers that load a model which they are given by its name (trl trainer/*.py).
LOADING_TRAINERS = (
    *("SFTTrainer", "DPOTrainer", "GRPOTrainer", "KTOTrainer", "RewardTrainer", "RLOOTrainer", "ORPOTrainer"),
    "CPOTrainer",
)
LOADERS = ("from_pretrained", "from_config")
# The keyword for the first argument of what is called.
FIRST = {"from_pretrained": "pretrained_model_name_or_path", "from_config": "config"}
BATCHES = "DataLoader"
CUTS = "tokenize"  # a call with truncation and max_length, whatever it calls
ADAPTERS = "LoraConfig"
# Attributes of a model's configuration: a script that names one may train another shape than the one it names.
_SHAPES = (
    *("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "n_layer", "n_embd"),
    "resize_token_embeddings",
)
# What changes the type of all weights after they are loaded.
_DTYPES = ("bfloat16", "float16", "float32", "auto")
_TO = (".half()", ".bfloat16()", ".float()", ".to(torch.", ".to(dtype")
_CASTS = (*(f"{of}{cast}" for of in ("model", ")") for cast in _TO), "prepare_model_for_kbit_training")
_COMPILES = ("torch.compile", ".compile(", "dynamo")
CHECKPOINTS = "gradient_checkpointing_enable"
COMPILE = "torch.compile"
# What else computes layers again in the backward pass: a script with one of these words may do so.
_MAY_CHECKPOINT = (
    *("torch.utils.checkpoint", "enable_gradient_checkpointing", "apply_activation_checkpointing"),
    *("checkpoint_wrapper", "gradient_checkpointing_disable"),
)
_QUANTIZED = ("quantization_config", "load_in_4bit", "load_in_8bit")
# LoraConfig without them (peft 0.7 to 0.19 tuners/lora/config.py).
_RANK, _DROPOUT = 8, 0.0


def is_causal_model(called: str) -> bool:
    """Whether this loads a language model with its head: AutoModelForCausalLM.from_pretrained."""
    owner = called.rpartition(".")[0].rpartition(".")[2]
    return owner.endswith(("ForCausalLM", "LMHeadModel")) and not owner.startswith("AutoPeft")


def model_of(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """By what TRL calls them: the model that is loaded, the type of its weights, and whether it is quantized."""
    loads = [call for one in sources for call in one.named(*LOADERS) if is_causal_model(_called(one, call))]
    given = [call.keywords.get("model") for one in sources for call in one.named(*LOADING_TRAINERS)]
    names = [call.keywords.get(FIRST[call.name]) for call in loads]
    names += [one for one in given if one is not None and isinstance(one.value, str)]
    name = _one(names)
    if name is None or not isinstance(name.value, str) or any(word in one.text for one in sources for word in _SHAPES):
        return {}
    if not loads:
        return {"model_name_or_path": name, LOADER: name._replace(value="trl")}
    loaded = {"model_name_or_path": name, LOADER: name._replace(value="transformers")}
    return {**loaded, **_as_loaded(loads, sources)}


# A word that is called, of which something is taken, or that gets another name; not the module of an import.
_TAKEN = r"(?<!from )\b(\w+)(?:\s*[(.]|\s+as\b)"


def said(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """All that a script with an Accelerator of its own says: also whether it trains adapters, and compiles its model.

    Whether adapters train all the time, and what compile() compiles, is not followed: with adapters the head is frozen,
    and with a word of compiling nobody knows whether the model is.
    """
    settings = {**model_of(sources), **batches_of(sources), **checkpointing_of(sources)}
    for one in sources:
        if is_used(one, *(name for name in one.imports if name.partition(".")[0] == "peft")):
            settings.setdefault("use_peft", Setting(True, Origin(code=one.path)))
            settings.update(_wraps(one))
        word = next((word for word in _COMPILES if word in one.text), None)
        if word is not None:
            why = f"{one.path} may compile its model: it has {word}"
            settings.setdefault(COMPILES, SettingLater(Later(word, why, WRITTEN_OUT), Origin(code=one.path)))
    return settings


def is_used(source: ScriptSource, *imported: str) -> bool:
    """Whether a script calls one of what it imports, or takes something of it; by another name it may."""
    if not imported:
        return False
    from re import findall

    names = {name.rpartition(".")[2] for name in imported}
    lines = (line for line in source.text.splitlines() if not line.lstrip().startswith("#"))
    return any(word in names for line in lines for word in findall(_TAKEN, line))


def _wraps(source: ScriptSource) -> dict[str, Setting]:
    """That get_peft_model() is called; whether, where it stands apart from what makes the model and prepares it."""
    calls = source.named("get_peft_model")
    if not calls:
        return {}
    if any(not call.perhaps and _runs(source, call) for call in calls):
        return {WRAPS: Setting(True, Origin(code=source.path))}
    why = f"{source.path} calls get_peft_model() in a block of its own"
    return {WRAPS: SettingLater(Later("get_peft_model", why, WRITTEN_OUT), Origin(code=source.path))}


def compiled_before(source: ScriptSource) -> Call | None:
    """The call of torch.compile() whose model prepare() gets: `model = torch.compile(model)` above it."""
    return _compiled_into(source, source.prepares)


def compiled_for(source: ScriptSource) -> Call | None:
    """The call of torch.compile() whose model a Trainer of transformers gets."""
    return _compiled_into(source, source.named("Trainer", "Seq2SeqTrainer"))


def _compiled_into(source: ScriptSource, takers: Sequence[Call]) -> Call | None:
    for call in source.named(COMPILE):
        line = source.text[: call.span.start].rpartition("\n")[2]
        name, equals, behind = (part.strip() for part in line.partition("="))
        if not equals or behind:
            continue
        for one in takers:
            between = source.text[call.span.start : one.span.start].split("\n")[1:]
            again = any(line.split("=")[0].strip() == name for line in between[:-1] if "=" in line)
            if one.block == call.block and name in _models(one) and between and not again:
                return call
    return None


def _models(call: Call) -> tuple[str, ...]:
    """What a call of prepare() is given by its place, or a Trainer by its name as well."""
    named = call.keywords.get("model")
    text = named.value.text if named is not None and isinstance(named.value, Unevaluated) else ""
    return (*(call.positional or ()), text)


def loads_late(source: ScriptSource) -> bool | None:
    """Whether a Trainer's model is loaded behind what makes its arguments: by itself, or by a call below that.

    None where the text does not tell.
    """
    loads = [call for call in source.named(*LOADERS) if is_causal_model(_called(source, call))]
    if not loads:
        named = [call.keywords.get("model") for call in source.named(*LOADING_TRAINERS)]
        return True if any(one is not None and isinstance(one.value, str) for one in named) else None
    made = source.named(*ARGUMENTS, *PARSERS)
    if len(loads) > 1 or not made or made[0].block != loads[0].block:
        return None
    return made[0].span.start < loads[0].span.start


def loads_behind_accelerator(source: ScriptSource) -> bool | None:
    """Whether it loads its model once its Accelerator is there; None where the text does not tell."""
    maker, loads = (
        source.accelerator,
        [call for call in source.named(*LOADERS) if is_causal_model(_called(source, call))],
    )
    if maker is None or len(loads) != 1:
        return None
    return None if loads[0].block != maker.block else maker.span.start < loads[0].span.start


def _called(source: ScriptSource, call: Call) -> str:
    return source.text[call.span.start : call.span.end]


def _as_loaded(loads: Sequence[Call], sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """What a script says of how its model is loaded: the type of the weights, attention, and quantization."""
    settings: dict[str, Setting] = {}
    written = [call.keywords.get("torch_dtype") or call.keywords.get("dtype") for call in loads]
    cast = next((word for one in sources for word in _CASTS if word in one.text), None)
    dtype = _one(written)
    if cast is not None:
        settings["dtype"] = _later(loads[0], "dtype", f"has {cast}: what the weights are kept in then")
    elif any(one is not None for one in written):
        unknown = _later(loads[0], "dtype", "passes a dtype that is not known here")
        settings["dtype"] = dtype if dtype is not None and dtype.value in _DTYPES else unknown
    for name in ("attn_implementation", *_QUANTIZED):
        written = [call.keywords.get(name) for call in loads]
        if not any(one is not None and one.value not in (None, False) for one in written):
            continue
        same, key = _one(written), "load_in_4bit" if name == "quantization_config" else name
        is_known = same is not None and not isinstance(same.value, Unevaluated)
        settings[key] = same if is_known and same is not None else _later(loads[0], key, f"passes {name}")
    return settings


def batches_of(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """`batch_size` of the loader that shuffles, or of all, and `max_length` to which texts are cut."""
    loaders = [call for one in sources for call in one.named(BATCHES)]
    shuffling = [call for call in loaders if "shuffle" in call.keywords and call.keywords["shuffle"].value is True]
    sizes = _one([call.keywords.get("batch_size") for call in shuffling or loaders])
    lengths = _one([call.keywords.get("max_length") for one in sources for call in one.named(CUTS)])
    found = {"batch_size": sizes, "max_length": lengths}
    return {name: one for name, one in found.items() if one is not None and type(one.value) is int}


def checkpointing_of(sources: Sequence[ScriptSource]) -> dict[str, Setting]:
    """Whether the layers are computed again in the backward pass, and whether the reentrant way, by TRL's names."""
    for one in sources:
        word = next((word for word in _MAY_CHECKPOINT if word in one.text or word in one.imports), None)
        if word is not None:
            why = f"{one.path} may compute its layers again in the backward pass: it has {word}"
            return {"gradient_checkpointing": SettingLater(Later(word, why, WRITTEN_OUT), Origin(code=one.path))}
    calls = [(one, call) for one in sources for call in one.named(CHECKPOINTS)]
    if not calls:
        return {}
    first = calls[0][1]
    if not any(_runs(one, call) for one, call in calls):
        why = f"calls {CHECKPOINTS}() in a block of its own: whether it does"
        return {"gradient_checkpointing": _later(first, CHECKPOINTS, why)}
    settings = {"gradient_checkpointing": Setting(True, Origin(span=first.span))}
    if any(call.positional or call.positional is None or call.keywords for _, call in calls):
        written = _one([call.keywords.get("gradient_checkpointing_kwargs") for _, call in calls])
        said = written.value if written is not None else None
        way = said.get("use_reentrant") if isinstance(said, dict) else None
        known = written is not None and isinstance(way, bool)
        later = _later(first, CHECKPOINTS, "passes arguments that are not known here: whether the reentrant way")
        settings[REENTRANT] = written._replace(value=way) if written is not None and known else later
    return settings


def _runs(source: ScriptSource, call: Call) -> bool:
    """Whether a call stands among the statements that make the model, prepare it or train, or around these."""
    beside = source.named("prepare", "Accelerator", "train", *LOADERS, *TRAINERS)
    return any(one.block[: len(call.block)] == call.block for one in beside)


def adapters_of(sources: Iterable[ScriptSource]) -> dict[str, Setting]:
    """What LoraConfig says of the adapters, by TRL's names; nothing where the script makes none, or several."""
    made = [call for one in sources for call in one.named(ADAPTERS)]
    if not made:
        return {}
    call = made[0]
    if len(made) > 1 or call.positional or call.positional is None or "**" in call.keywords:
        why = "makes its adapters in a way that is not known here"
        return {"lora_r": _later(call, "lora_r", why)}
    place = Setting(None, Origin(span=call.span))
    found = {
        "lora_r": call.keywords.get("r", place._replace(value=_RANK)),
        "lora_dropout": call.keywords.get("lora_dropout", place._replace(value=_DROPOUT)),
        # Without it PEFT takes two or three layers, by the kind of model (utils/constants.py).
        "lora_target_modules": call.keywords.get("target_modules"),
    }
    return {name: _plain(call, name, one) for name, one in found.items()}


def _plain(call: Call, name: str, setting: Setting | None) -> Setting:
    if setting is None:
        return _later(call, name, "leaves target_modules to PEFT")
    if isinstance(setting.value, Unevaluated):
        return _later(call, name, f"passes {name}={setting.value.text}")
    return setting


def _later(call: Call, name: str, what: str) -> Setting:
    where = f"{call.span.file}:{call.span.line}"
    return SettingLater(Later(name, f"{where} {what}", WRITTEN_OUT), Origin(span=call.span))


def _one(given: Sequence[Setting | None]) -> Setting | None:
    """What all of them say; None where they differ, or none says anything."""
    if not given or any(one is None or one.is_later for one in given):
        return None
    first = given[0]
    return first if all(one is not None and first is not None and one.value == first.value for one in given) else None
