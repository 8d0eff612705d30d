"""python -m tests.tools.wild.faults FOLDER: faults, seeded into copies of the checkouts' own pairs; are they found?

Each fault is one change to a copy in which fp8check finds no error: a key, a value, a variable of the shell, a package
that is not installed. It counts as found where a finding that the copy did not have before stands at the line that the
fault wrote; for a variable, a package or a GPU, where such a finding names it, or stands at the line that asks for FP8.
The copies are made in a folder of their own, which goes away.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fp8check.rules.checking.api import check
from fp8check.rules.input_error import InputError
from fp8check.rules.trainers.detect import read
from tests.support.runs import TODAY, facts_of
from tests.tools.corpus import FACTORY
from tests.tools.wild.checkouts import checkouts
from tests.tools.wild.checks import pairs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fp8check.rules.engine.running import Finding
    from tests.tools.wild.checkouts import Pair

SEED = 20261126
FAULTS = 200
TRAINING, OTHER = "training", "other"
_TE = "fp8_config:\n  backend: TE\n  fp8_format: HYBRID\n  amax_history_len: 16\n  amax_compute_algo: max\n"
_AO = "fp8_config:\n  backend: AO\n  enable_fsdp_float8_all_gather: false\n"


class Place(NamedTuple):
    """Where a fault stands: a line of one of the two files; or, with line 0, a name that a message has to have."""

    file: str
    line: int
    name: str = ""


class Copy:
    """A copy of a pair, which is changed, with the machine that it would run on.

    Attributes:
        texts: of the training file and of the other one.
        paths: theirs, from the root of the checkout.
        dialect: whose training file it is.
    """

    def __init__(self, root: Path, pair: Pair) -> None:
        self.paths = {TRAINING: pair.training, OTHER: pair.other}
        self.texts = {name: (root / path).read_text(encoding="utf-8") for name, path in self.paths.items()}
        self.dialect = read(str(root / pair.training)).dialect or ""
        self.kind = read(str(root / pair.other)).kind
        self.stack: dict[str, str | None] = {**TODAY, "deepspeed": "0.18.2"}
        if self.dialect == "llamafactory":
            self.stack.update(FACTORY)
        self.variables: dict[str, str] = {}
        self.gpu = "9.0"
        self.launch: str | None = None

    def copy(self) -> Copy:
        """The same, to be changed on its own."""
        new = Copy.__new__(Copy)
        new.__dict__ = {name: value.copy() if isinstance(value, dict) else value for name, value in vars(self).items()}
        return new

    def write(self, file: str, key: str, value: str) -> Place:
        """A top-level entry in the place of the one with that key, or at the end."""
        lines = self.texts[file].splitlines()
        start = next((number for number, line in enumerate(lines) if _is_key(line, key)), len(lines))
        end = start + 1
        while end < len(lines) and (lines[end][:1] in (" ", "-") or not lines[end].strip()):
            end += 1
        lines[start:end] = [f"{key}: {value}"]
        self.texts[file] = "\n".join(lines) + "\n"
        return Place(file, start + 1)

    def drop(self, file: str, *keys: str) -> None:
        """Without these top-level entries."""
        for key in keys:
            if self.has(file, key):
                place = self.write(file, key, "")
                lines = self.texts[file].splitlines()
                del lines[place.line - 1]
                self.texts[file] = "\n".join(lines) + "\n"

    def has(self, file: str, key: str) -> bool:
        """Whether the file has such a top-level entry."""
        return any(_is_key(line, key) for line in self.texts[file].splitlines())

    def under(self, section: str, key: str, value: str) -> Place | None:
        """An entry of a section of the Accelerate file, in the place of the one with that key."""
        lines = self.texts[OTHER].splitlines()
        start = next((number for number, line in enumerate(lines) if _is_key(line, section)), None)
        if start is None or lines[start].split(":", 1)[1].strip():
            return None
        end = start + 1
        while end < len(lines) and lines[end][:1] == " ":
            if lines[end].split(":")[0].strip() == key:
                del lines[end]
                continue
            end += 1
        lines.insert(end, f"  {key}: {value}")
        self.texts[OTHER] = "\n".join(lines) + "\n"
        return Place(OTHER, end + 1)

    def without(self, section: str, key: str) -> None:
        """Without an entry of a section of the Accelerate file."""
        place = self.under(section, key, "x")
        if place is not None:
            lines = self.texts[OTHER].splitlines()
            del lines[place.line - 1]
            self.texts[OTHER] = "\n".join(lines) + "\n"

    def line_of(self, file: str, text: str) -> Place:
        """The line that begins with a text, but for blanks."""
        lines = self.texts[file].splitlines()
        return Place(file, next(number for number, line in enumerate(lines, 1) if line.strip().startswith(text)))

    def findings(self) -> list[Finding] | None:
        """What fp8check says of it, written into a folder of its own; None where it makes no run of it."""
        packages = {name: value for name, value in self.stack.items() if value is not None}
        facts = facts_of({"stack": packages, "gpus": 8, "gpu": self.gpu, "variables": self.variables})
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for file, path in self.paths.items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(self.texts[file], encoding="utf-8")
            try:
                checked = check(*self.paths.values(), facts=facts, launch=self.launch)
            except InputError:
                return None
            return [finding for report in checked.reports for finding in report.findings]


def _is_key(line: str, key: str) -> bool:
    return line.startswith(f"{key}:")


_TRAINERS = ("llamafactory", "transformers", "trl")
FAULTS_OF_FP8: dict[str, Callable[[Copy], Place | None]] = {}
FAULTS_OF_ANY: dict[str, Callable[[Copy], Place | None]] = {}


def in_fp8(function: Callable[[Copy], Place | None]) -> Callable[[Copy], Place | None]:
    """A fault in a run that really is FP8 before."""
    FAULTS_OF_FP8[function.__name__.replace("_", " ")] = function
    return function


def in_any(function: Callable[[Copy], Place | None]) -> Callable[[Copy], Place | None]:
    """A fault in a run as the repository has it."""
    FAULTS_OF_ANY[function.__name__.replace("_", " ")] = function
    return function


def is_te(copy: Copy) -> bool:
    return "backend: TE" in copy.texts[OTHER]


@in_fp8
def bf16_over_fp8(copy: Copy) -> Place | None:
    return copy.write(TRAINING, "bf16", "true")


@in_fp8
def fp16_over_fp8(copy: Copy) -> Place | None:
    copy.drop(TRAINING, "bf16")
    return copy.write(TRAINING, "fp16", "true")


@in_fp8
def backend_in_small_letters(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "backend", "te" if is_te(copy) else "torchao")


@in_fp8
def option_misspelled(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "amax_histroy_len" if is_te(copy) else "pad_inner_dims", "16")


@in_fp8
def key_of_the_wizard(copy: Copy) -> Place | None:
    if not is_te(copy):
        return None
    copy.without("fp8_config", "amax_history_len")
    return copy.under("fp8_config", "amax_history_length", "16")


@in_fp8
def format_that_te_refuses(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "fp8_format", "E5M2") if is_te(copy) else None


@in_fp8
def format_that_nobody_offers(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "fp8_format", "E3M4") if is_te(copy) else None


@in_fp8
def history_that_is_no_number(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "amax_history_len", "16.5") if is_te(copy) else None


@in_fp8
def history_of_zero(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "amax_history_len", "0") if is_te(copy) else None


@in_fp8
def algorithm_that_is_never_reached(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "amax_compute_algo", "most_recent") if is_te(copy) else None


@in_fp8
def override_as_text(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "override_linear_precision", '"(true, false, false)"') if is_te(copy) else None


@in_fp8
def option_of_the_other_backend(copy: Copy) -> Place | None:
    key = "pad_inner_dim" if is_te(copy) else "amax_history_len"
    return copy.under("fp8_config", key, "false" if is_te(copy) else "32")


@in_fp8
def mxfp8_with_a_history(copy: Copy) -> Place | None:
    if not is_te(copy):
        return None
    copy.gpu = "10.0"
    copy.without("fp8_config", "fp8_format")
    copy.under("fp8_config", "use_mxfp8_block_scaling", "true")
    copy.without("fp8_config", "amax_compute_algo")
    return copy.under("fp8_config", "amax_history_len", "32")


@in_fp8
def mxfp8_on_hopper(copy: Copy) -> Place | None:
    if not is_te(copy):
        return None
    for key in ("amax_history_len", "amax_compute_algo", "fp8_format"):
        copy.without("fp8_config", key)
    return copy.under("fp8_config", "use_mxfp8_block_scaling", "true")


@in_fp8
def e4m3_for_gradients(copy: Copy) -> Place | None:
    return copy.under("fp8_config", "fp8_format", "E4M3") if is_te(copy) else None


@in_fp8
def recipe_without_precision(copy: Copy) -> Place | None:
    copy.write(OTHER, "mixed_precision", "bf16")
    return copy.line_of(OTHER, "fp8_config:")


@in_fp8
def no_transformer_engine(copy: Copy) -> Place | None:
    if not is_te(copy):
        return None
    copy.stack["transformer_engine"] = None
    return copy.line_of(OTHER, "backend:")


@in_fp8
def no_torchao(copy: Copy) -> Place | None:
    if is_te(copy):
        return None
    copy.stack["torchao"] = None
    return copy.line_of(OTHER, "backend:")


@in_fp8
def gpu_without_fp8(copy: Copy) -> Place | None:
    copy.gpu = "8.0"
    return copy.line_of(OTHER, "mixed_precision:")


@in_fp8
def checkpointing_with_te(copy: Copy) -> Place | None:
    if not is_te(copy):
        return None
    if copy.dialect == "llamafactory":
        return copy.write(TRAINING, "disable_gradient_checkpointing", "false")
    return copy.write(TRAINING, "gradient_checkpointing", "true")


@in_fp8
def torchao_that_trains_nothing(copy: Copy) -> Place | None:
    if is_te(copy) or "fsdp_version: 2" in copy.texts[OTHER]:  # where it trains
        return None
    if copy.dialect == "llamafactory":  # its accelerate is older than 1.13, which first reads it
        return None
    return copy.under("fp8_config", "enable_fsdp_float8_all_gather", "true")


@in_fp8
def torchao_with_ram_efficient_loading(copy: Copy) -> Place | None:
    if is_te(copy) or not copy.has(OTHER, "fsdp_config"):
        return None
    return copy.under("fsdp_config", "fsdp_cpu_ram_efficient_loading", "true")


@in_fp8
def te_under_fsdp2(copy: Copy) -> Place | None:
    if is_te(copy) or "fsdp_version: 2" not in copy.texts[OTHER]:
        return None
    copy.drop(OTHER, "fp8_config")
    copy.texts[OTHER] += _TE
    return copy.line_of(OTHER, "backend:")


@in_fp8
def on_the_cpu(copy: Copy) -> Place | None:
    return copy.write(OTHER, "use_cpu", "true")


@in_fp8
def quantized_base(copy: Copy) -> Place | None:
    keys = {"llamafactory": ("quantization_bit", "4"), "trl": ("load_in_4bit", "true")}
    if copy.dialect not in keys:
        return None
    key, value = keys[copy.dialect]
    return copy.write(TRAINING, key, value)


@in_fp8
def flag_over_the_file(copy: Copy) -> Place | None:
    copy.launch = f"accelerate launch --config_file {copy.paths[OTHER]} --mixed_precision bf16 t.py"
    return copy.line_of(OTHER, "mixed_precision:")


@in_any
def variable_left_over(copy: Copy) -> Place | None:
    copy.variables["ACCELERATE_FP8_BACKEND"] = "TE"
    return Place(OTHER, 0, "ACCELERATE_FP8_BACKEND")


@in_any
def variable_misspelled(copy: Copy) -> Place | None:
    copy.variables["ACCELERATE_FP8_BACKEND"] = "te"
    return Place(OTHER, 0, "ACCELERATE_FP8_BACKEND")


@in_any
def unknown_key_of_accelerate(copy: Copy) -> Place | None:
    if copy.kind != "accelerate":
        return None
    copy.drop(OTHER, "mixed_precision")
    return copy.write(OTHER, "mixed_precison", "fp8")


@in_any
def unquoted_no(copy: Copy) -> Place | None:
    return copy.write(OTHER, "mixed_precision", "no") if copy.kind == "accelerate" else None


@in_any
def more_processes_than_gpus(copy: Copy) -> Place | None:
    if copy.kind != "accelerate":
        return None
    copy.write(OTHER, "num_machines", "1")
    return copy.write(OTHER, "num_processes", "64")


@in_any
def machines_in_quotes(copy: Copy) -> Place | None:
    if copy.kind != "accelerate":
        return None
    return copy.write(OTHER, "num_machines", '"1"')


@in_any
def gpu_ids_as_a_number(copy: Copy) -> Place | None:
    if copy.kind != "accelerate":
        return None
    copy.write(OTHER, "num_processes", "1")
    return copy.write(OTHER, "gpu_ids", "0")


@in_any
def second_document(copy: Copy) -> Place | None:
    if copy.kind != "accelerate":
        return None
    lines = copy.texts[OTHER].rstrip().splitlines()
    copy.texts[OTHER] = "\n".join([*lines, "---", "mixed_precision: fp8"]) + "\n"
    return Place(OTHER, len(lines) + 1)


@in_any
def key_twice(copy: Copy) -> Place | None:
    if not copy.has(TRAINING, "learning_rate"):
        return None
    copy.texts[TRAINING] = copy.texts[TRAINING].rstrip() + "\nlearning_rate: 0.5\n"
    return Place(TRAINING, len(copy.texts[TRAINING].splitlines()))


@in_any
def false_in_quotes(copy: Copy) -> Place | None:
    if copy.dialect not in ("llamafactory", "transformers"):  # TRL converts it
        return None
    copy.drop(TRAINING, "fp16")
    return copy.write(TRAINING, "bf16", '"false"')


@in_any
def both_precisions(copy: Copy) -> Place | None:
    if copy.dialect not in _TRAINERS:
        return None
    copy.write(TRAINING, "bf16", "true")
    return copy.write(TRAINING, "fp16", "true")


@in_any
def variable_that_nobody_expands(copy: Copy) -> Place | None:
    if copy.dialect not in ("trl", "transformers"):
        return None
    # A file that no command hands to the run may be one for envsubst.
    copy.launch = f"accelerate launch t.py {copy.paths[TRAINING]}"
    return copy.write(TRAINING, "output_dir", "$OUTPUT_DIR/run")


@in_any
def precision_in_the_training_file(copy: Copy) -> Place | None:
    return copy.write(TRAINING, "mixed_precision", "fp8") if copy.dialect == "transformers" else None


@in_any
def stage_without_fp8(copy: Copy) -> Place | None:
    if copy.dialect != "llamafactory" or not copy.has(TRAINING, "stage"):
        return None
    copy.write(TRAINING, "stage", "dpo")
    return copy.write(TRAINING, "fp8", "true")


@in_any
def gather_without_fp8(copy: Copy) -> Place | None:
    if copy.dialect != "llamafactory" or copy.has(TRAINING, "fp8"):
        return None
    return copy.write(TRAINING, "fp8_enable_fsdp_float8_all_gather", "true")


@in_any
def axolotl_recipe_without_fp8(copy: Copy) -> Place | None:
    if copy.dialect != "axolotl":
        return None
    return copy.write(TRAINING, "fp8_config", "{recipe: rowwise}")


@in_any
def axolotl_gather_without_fsdp2(copy: Copy) -> Place | None:
    if copy.dialect != "axolotl" or copy.has(TRAINING, "fsdp_version"):
        return None
    copy.write(TRAINING, "fp8", "true")
    return copy.write(TRAINING, "fp8_enable_fsdp_float8_all_gather", "true")


@in_any
def axolotl_key_of_accelerate(copy: Copy) -> Place | None:
    if copy.dialect != "axolotl":
        return None
    copy.write(TRAINING, "fp8", "true")
    return copy.write(TRAINING, "fp8_config", "{fp8_format: HYBRID}")


@in_any
def fp8_section_of_deepspeed(copy: Copy) -> Place | None:
    return _first_key(copy, '"fp8": {"enabled": true},') if copy.kind == "deepspeed" else None


@in_any
def deepspeed_fp16_against_bf16(copy: Copy) -> Place | None:
    if copy.kind != "deepspeed" or copy.dialect == "axolotl":
        return None
    copy.drop(TRAINING, "fp16", "pure_bf16")
    copy.write(TRAINING, "bf16", "true")
    for section in ("fp16", "bf16"):
        copy.texts[OTHER] = re.sub(rf'"{section}"\s*:\s*\{{[^{{}}]*\}}\s*,', "", copy.texts[OTHER])
    if '"bf16"' in copy.texts[OTHER] or '"fp16"' in copy.texts[OTHER]:
        return None
    return _first_key(copy, '"fp16": {"enabled": true},')


@in_any
def distribution_that_nobody_offers(copy: Copy) -> Place | None:
    return copy.write(OTHER, "distributed_type", "FSDP2") if copy.kind == "accelerate" else None


@in_any
def precision_that_nobody_offers(copy: Copy) -> Place | None:
    return copy.write(OTHER, "mixed_precision", "float8") if copy.kind == "accelerate" else None


@in_any
def bf16_off_under_deepspeed(copy: Copy) -> Place | None:
    if copy.dialect not in _TRAINERS or not _starts_deepspeed(copy) or "deepspeed_config_file" in copy.texts[OTHER]:
        return None
    copy.drop(TRAINING, "fp16")
    copy.write(OTHER, "mixed_precision", "bf16")
    return copy.write(TRAINING, "bf16", "false")


@in_any
def precision_beside_deepspeed_file(copy: Copy) -> Place | None:
    if not _starts_deepspeed(copy):
        return None
    copy.write(OTHER, "mixed_precision", "bf16")
    named = copy.under("deepspeed_config", "deepspeed_config_file", "ds.json")
    return None if named is None else copy.line_of(OTHER, "mixed_precision:")


def _starts_deepspeed(copy: Copy) -> bool:
    return "distributed_type: DEEPSPEED" in copy.texts[OTHER]


def _first_key(copy: Copy, text: str) -> Place | None:
    first, brace, rest = copy.texts[OTHER].partition("{")
    copy.texts[OTHER] = f"{first}{brace}\n{text}\n{rest}"
    return Place(OTHER, first.count("\n") + 2)


class Seeded(NamedTuple):
    """A fault in a copy, and whether it was found."""

    kind: str
    repository: str
    pair: Pair
    found: bool
    said: tuple[str, ...]


def base(copy: Copy) -> Copy | None:
    """The pair as an FP8 run in which nothing is wrong; None where it cannot be one."""
    if copy.kind != "accelerate" or copy.dialect not in _TRAINERS:
        return None
    for recipe in (_TE, _AO):
        new = copy.copy()
        new.drop(
            TRAINING, "fp16", "pure_bf16", "fp8", "fp8_backend", "quantization_bit", "load_in_4bit", "load_in_8bit"
        )
        new.drop(TRAINING, "deepspeed", "quantization_method")
        new.write(TRAINING, "bf16", "false")
        if new.dialect == "llamafactory":
            new.write(TRAINING, "disable_gradient_checkpointing", "true")
        else:
            new.write(TRAINING, "gradient_checkpointing", "false")
        new.drop(OTHER, "fp8_config", "gpu_ids")
        new.write(OTHER, "mixed_precision", "fp8")
        new.texts[OTHER] += recipe
        if recipe is _AO and new.has(OTHER, "fsdp_config"):
            new.under("fsdp_config", "fsdp_cpu_ram_efficient_loading", "false")
            new.under("fsdp_config", "fsdp_activation_checkpointing", "false")
        if _is_clean(new.findings()):
            return new
    return None


def _is_clean(findings: Sequence[Finding] | None) -> bool:
    return findings is not None and all(one.severity != "error" for one in findings)


def seeded(folder: Path, number: int = FAULTS, seed: int = SEED) -> Iterator[Seeded]:
    """Faults, spread evenly over the kinds, each in a pair drawn with the seed."""
    chance = random.Random(seed)  # noqa: S311
    roots = checkouts(folder)
    pairs = [(root, pair) for root in roots for pair in pairs_of(root) if _is_training(root, pair)]
    chance.shuffle(pairs)
    plain, fp8 = _Bases(pairs, lambda copy: copy), _Bases(pairs, base)
    kinds = [*((name, one, fp8) for name, one in FAULTS_OF_FP8.items())]
    kinds += [(name, one, plain) for name, one in FAULTS_OF_ANY.items()]
    turns = {name: bases.turn(chance.randrange(len(pairs))) for name, _, bases in kinds}
    made = 0
    while made < number and kinds:
        for kind in [*kinds]:
            name, fault, _ = kind
            one = _next(name, fault, turns[name])
            if one is None:
                kinds.remove(kind)
            elif made < number:
                made += 1
                yield one


def _is_training(root: Path, pair: Pair) -> bool:
    """Whether the training file is one that trains, and in YAML: LLaMA-Factory's are for inference, too."""
    text = (root / pair.training).read_text(encoding="utf-8")
    return pair.training.endswith((".yaml", ".yml")) and "learning_rate:" in text


class _Bases:
    """Copies without an error, each made once."""

    def __init__(self, pairs: Sequence[tuple[Path, Pair]], make: Callable[[Copy], Copy | None]) -> None:
        self._pairs = pairs
        self._make = make
        self._made: dict[int, tuple[str, Pair, Copy, list[Finding]] | None] = {}

    def turn(self, start: int) -> Iterator[tuple[str, Pair, Copy, list[Finding]]]:
        """All of them, from one on, each training file once."""
        seen: set[tuple[str, str]] = set()
        for offset in range(len(self._pairs)):
            number = (start + offset) % len(self._pairs)
            root, pair = self._pairs[number]
            if (root.name, pair.training) in seen:
                continue
            if number not in self._made:
                self._made[number] = self._one(root, pair)
            one = self._made[number]
            if one is not None:
                seen.add((root.name, pair.training))
                yield one

    def _one(self, root: Path, pair: Pair) -> tuple[str, Pair, Copy, list[Finding]] | None:
        copy = self._make(Copy(root, pair))
        findings = copy.findings() if copy is not None else None
        if copy is None or findings is None or not _is_clean(findings):
            return None
        return root.name, pair, copy, findings


def _next(
    kind: str, fault: Callable[[Copy], Place | None], turn: Iterator[tuple[str, Pair, Copy, list[Finding]]]
) -> Seeded | None:
    for repository, pair, clean, before in turn:
        copy = clean.copy()
        place = fault(copy)
        if place is None:
            continue
        findings = copy.findings()
        known = {(one.rule, one.message) for one in before}
        new = [one for one in findings or () if (one.rule, one.message) not in known]
        return Seeded(kind, repository, pair, any(_is_at(one, place, copy) for one in new), tuple(map(_shown, new)))
    return None


def _is_at(finding: Finding, place: Place, copy: Copy) -> bool:
    if not place.line:
        return place.name in " ".join((finding.message, finding.label, *finding.notes))
    span = finding.span
    return span is not None and span.line == place.line and os.path.normpath(span.file) == copy.paths[place.file]


def _shown(finding: Finding) -> str:
    return f"{finding.rule} {finding.span}: {finding.message}"


def main(words: Sequence[str]) -> int:
    """Print how many faults of each kind are found; 1 where fewer than 95 of 100 are."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.wild.faults")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=FAULTS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(words)
    every = [*seeded(options.folder.resolve(), options.number, options.seed)]
    _print(every)
    found = sum(one.found for one in every)
    repositories = len({one.repository for one in every})
    print(f"{found} of {len(every)} faults found at their line, in copies of pairs of {repositories} repositories")
    return 0 if every and found >= 0.95 * len(every) else 1


def _print(every: Sequence[Seeded]) -> None:
    by_kind: defaultdict[str, list[Seeded]] = defaultdict(list)
    for one in every:
        by_kind[one.kind].append(one)
    for kind, some in by_kind.items():
        rules: Mapping[str, int] = Counter(said.split()[0] for one in some if one.found for said in one.said)
        print(f"{kind:40} {sum(one.found for one in some):3} of {len(some):3}  {' '.join(sorted(rules))}")
        for one in some:
            if not one.found:
                print(f"    missed: {one.repository} {one.pair.training} + {one.pair.other}: {list(one.said)[:4]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
