"""What another value of a line would change: each is written into a copy, and the run is judged as it is then.

That nothing reads a line cannot be seen from the lines that decide: a value may be what keeps a run from ending. So
nothing is called without effect that was not tried.
"""

from __future__ import annotations

from fp8check.rules.checking.advising import looked_behind
from fp8check.rules.checking.request import check_request
from fp8check.rules.edits.fix import Edit, Fix
from fp8check.rules.edits.text_edits import Editor
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.input_error import InputError
from fp8check.rules.reading.kind import Kind
from fp8check.rules.reading.read import read_script
from fp8check.rules.record import Record
from fp8check.rules.releases.accelerate_enums import BACKENDS
from fp8check.rules.report import build
from fp8check.rules.report.line import Effect, Tries
from fp8check.rules.trainers.detect import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fp8check.rules.checking.request import Request
    from fp8check.rules.edits.fix import Part
    from fp8check.rules.edits.text_edit import TextEdit
    from fp8check.rules.reading import Document, Node
    from fp8check.rules.settings.shell_lines import Line
    from fp8check.rules.suppression.examined import Examined

MOST = 40  # values of a line that are tried
MOST_RUNS = 20  # of a script that starts many, each value would cost all of them
MOST_COST = 300_000  # of all runs that are judged for a line, in characters (_cost): 1 s, on a slow core 2
_AN_ENTRY = 30  # characters of YAML or JSON that take as long to read and to judge as an entry does besides
_OF_SOURCE = 3  # as many of YAML as one of a script
_A_RUN = 1_500  # as many as a run takes whatever its files
_A_VARIABLE = 20  # as many as a variable of the machine that sounds like one that counts
_DIGITS = 10  # of a number that is written as text
LONGEST = 100_000  # characters of the files of a run in which anything is tried
_TOO_LARGE = "the run is too large to try it"
_AUTO = "auto"  # stands where true, false or a number may
_TYPED = {"true": True, "false": False, "1e-5": 1e-5}
_COUNTS = (1, 8, "8")  # or a count, which may be text
# Words of which each stands where the others may. Besides, any text is tried as one that nobody knows.
_WORDS = (
    ("true", "false"),
    ("yes", "no"),
    ("on", "off"),
    ("no", "fp16", "bf16", "fp8"),
    ("TE", "AO", "MSAMP", "AUTO"),
    ("te", "torchao", "auto"),
    ("NO", "MULTI_GPU", "FSDP", "DEEPSPEED"),
    ("HYBRID", "E4M3", "E5M2"),
    ("max", "most_recent"),
    ("tensorwise", "rowwise", "rowwise_with_gw_hp"),
    ("full", "lora", "freeze"),
    ("pt", "sft", "rm", "ppo", "dpo", "kto"),
    ("bfloat16", "float16", "float32", "auto"),
    ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "fp8"),
    ("adamw_torch", "adamw_torch_fused", "adamw_8bit", "sgd"),
    ("FULL_SHARD", "SHARD_GRAD_OP", "NO_SHARD", "HYBRID_SHARD"),
    (_AUTO, "true", "false", "1e-5"),
    ("bnb", "gptq", "awq"),
    ("inductor", "eager", "aot_eager"),
    ("LOCAL_MACHINE", "AMAZON_SAGEMAKER"),
    ("FULL_STATE_DICT", "SHARDED_STATE_DICT", "LOCAL_STATE_DICT"),
    ("TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP", "NO_WRAP"),
    ("BACKWARD_PRE", "BACKWARD_POST", "NO_PREFETCH"),
)
_OTHER = "other"
# What of an outcome its words in a report need not show, where the run ends before.
_DECIDED = ("starts", "distributed_type", "mixed_precision", "backend", "recipe", "fp8_layers")
# In the place of a model: one without Linear layers, a small one, one of experts, one that fits on few GPUs.
_MODELS = ("openai-community/gpt2", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen3-30B-A3B", "meta-llama/Llama-3.1-70B")


class _Value(Record):
    """A line with another value.

    Attributes:
        document: the file as it is then; None where it cannot be made, or nothing reads it.
    """

    tried: str
    document: Document | None


def sets(report: Examined, document: Document, line: int) -> bool:
    """Whether a variable of a run's command is set on that line of a shell script."""
    command = report.inputs.run.launch.line
    places = () if command is None else command.variables.values()
    return any((place.span.file, place.span.line) == (document.path, line) for place in places)


class Trials:
    """Judges the runs of a request with other values of a line. What was judged for one of its runs is known for all.

    Args:
        request: of one part.
    """

    def __init__(self, request: Request) -> None:
        self._request = request._replace(probe=None, baseline=None)
        (self._part,) = request.runs
        self._reports: tuple[Examined, ...] | None = None
        self._scripts: dict[str, Document | None] = {}
        self._judged: dict[str, tuple[tuple[Examined, ...] | str, int]] = {}

    def of(self, at: int, document: Document, line: int) -> Tries:
        """What other values of a line would change about one of the runs.

        Args:
            at: which of them.
        """
        if sum(len(one.text) for one in self._part.documents) > LONGEST:
            return Tries((), _TOO_LARGE)
        if self._reports is None:
            self._reports = looked_behind(self._request, check_request(self._request))[0].reports
        if len(self._reports) > MOST_RUNS:
            return Tries((), _TOO_LARGE)
        before, number = self._reports[at], 0
        if sum(len(one.text) for one in before.documents) > LONGEST:
            return Tries((), _TOO_LARGE)  # of a script, too, which the command starts
        effects: list[Effect] = []
        longer = max(0, len(self._part.launch or "") - _A_RUN)  # than a command of usual length
        beside = longer + _A_RUN * len(self._reports) + _A_VARIABLE * len(self._part.facts.variables or ())
        left = MOST_COST // sum(map(_cost, self._part.documents), beside)
        for number, value in enumerate(_values(document, before, line, self._part.trainer, self._script), 1):
            if number > MOST or (left <= 0 and number > 1):
                why = f"{len(effects)} other values of it change nothing, and more were not tried"
                return Tries(tuple(effects), why)
            left -= 1
            if value.document is not None:
                after, runs = self._after(document, value.document)
                left -= runs
                effects.append(Effect(value.tried, self._change(before, after, at)))
        why = "it cannot be changed by itself" if number and not effects else ""
        return Tries(tuple(effects), why, before.hiding)

    def _after(self, document: Document, changed: Document) -> tuple[tuple[Examined, ...] | str, int]:
        """The reports with another text of a file, or why there are none; and how many runs more were judged."""
        known = self._judged.get(changed.text)
        if known is not None:
            return known
        files = tuple(changed if one.path == document.path else one for one in self._part.documents)
        request = self._request._replace(runs=(self._part._replace(documents=files),))
        try:
            found, runs = looked_behind(request, check_request(request))
            made: tuple[tuple[Examined, ...] | str, int] = (found.reports, runs)
        except InputError as error:
            made = (str(error), 0)
        if len(self._reports or ()) > 1:  # of a run alone, no text comes again
            self._judged[changed.text] = made
        return made

    def _change(self, before: Examined, after: tuple[Examined, ...] | str, at: int) -> str:
        if isinstance(after, str):
            return f"the files make no run any more: {after}"
        return _changes(before, after[at]) if len(after) == len(self._reports or ()) else "the files make other runs"

    def _script(self, path: str, text: str) -> Document | None:
        """A shell script with that text, read once; None where it cannot be."""
        if text not in self._scripts:
            try:
                self._scripts[text] = read(path, text.encode())
            except InputError:
                self._scripts[text] = None
        return self._scripts[text]


def _cost(document: Document) -> int:
    """What it takes to read a file and to judge a run that has it."""
    if document.root is None:
        return _OF_SOURCE * len(document.text)
    return len(document.text) + _AN_ENTRY * sum(1 for _ in document.root.walk())


def _changes(before: Examined, after: Examined) -> str:
    """What is another thing than before, in a few words."""
    old, new = _told(before), _told(after)
    for finding in (*after.findings, *after.later):
        if finding.severity != "info" and (count := new[finding.rule]) > old.get(finding.rule, 0):
            return f"{finding.rule} {finding.severity}: {finding.message}" + ("" if count == 1 else f" ({count} times)")
    gone = [rule for rule in old if old[rule] > new.get(rule, 0)]
    if gone:
        return f"{gone[0]} is not found any more"
    was, now = build.brief(before).summary, build.brief(after).summary
    for name in ("actual", "or_", "speed", "memory"):
        value = getattr(now, name)
        if value != getattr(was, name):
            return f"{name.rstrip('_')}: {value or 'not known'}"
    outcomes = build.outcome_of(before.outcome), build.outcome_of(after.outcome)
    for name in _DECIDED:
        was_, is_ = (getattr(outcome, name) for outcome in outcomes)
        if was_ != is_:
            return f"{name.replace('_', ' ')}: {is_}, not {was_}"
    if before.verdict != after.verdict:
        return f"the verdict is {after.verdict}"
    hiding, hid = (", ".join(report.hiding) for report in (after, before))
    return "" if hiding == hid else f"{hiding} may hide more then" if hiding else f"{hid} hides nothing more then"


def _told(report: Examined) -> dict[str, int]:
    found: dict[str, int] = {}
    for finding in (*report.findings, *report.later):
        if finding.severity != "info":
            found[finding.rule] = found.get(finding.rule, 0) + 1
    return found


def _values(
    document: Document, report: Examined, line: int, trainer: str | None, script: Callable[[str, str], Document | None]
) -> Iterator[_Value]:
    if document.format == "python":
        yield from _of_script(document, line)
    elif document.format == "shell":
        if report.inputs.run.launch.line is not None:
            for said, start, end, text in _in_shell(document, report.inputs.run.launch.line, line):
                yield _Value(said, script(document.path, f"{document.text[:start]}{text}{document.text[end:]}"))
    else:
        editor = Editor((document,))
        for node in nodes_on(document, line):
            yield from _of_node(document, editor, node, report.inputs.run.training.model, trainer)


def nodes_on(document: Document, line: int) -> list[Node]:
    """The entries that begin on a line; where none does, the innermost one that the line belongs to."""
    if document.root is None:
        return []
    begin = [node for node in document.root.walk() if node.alias is None and _first_line(node) == line]
    if begin:
        return begin
    around = [
        node for node in document.root.walk() if node.alias is None and _first_line(node) < line <= node.span.end_line
    ]
    inner = [node for node in around if node.kind == "scalar" or node.style == "flow"]
    return inner[-1:]


def _first_line(node: Node) -> int:
    if node.key_span is not None:
        return node.key_span.line
    return node.span.line if node.pointer else 0


def _of_node(
    document: Document, editor: Editor, node: Node, model: str | None, trainer: str | None
) -> Iterator[_Value]:
    place = node.key_span or node.span
    part: Part = "item" if node.key_span is None else "entry"
    name = "" if node.key_span is None else f"{node.key}: "
    is_model = node.value == model and isinstance(node.value, str)
    values = _MODELS if is_model else _others(node.value) if node.kind == "scalar" else ()
    if isinstance(node.value, str) and str(node.key).startswith("num_"):  # a count, which may be text
        values = (*values, "2")
    edits = [(f"{name}{_shown(value)}", Edit("replace", place, part, value=value)) for value in values]
    for text, edit in (*edits, (f"without {node.key if name else 'it'}", Edit("delete", place, part))):
        try:
            made = _edited(document, editor, edit, trainer)
        except (Unfixable, InputError):
            made = None
        yield _Value(text, made)


def _edited(document: Document, editor: Editor, edit: Edit, trainer: str | None) -> Document:
    """The file with an edit made, for what it was, whatever is left of it.

    Raises:
        Unfixable, Unreadable: the edit cannot be made, or nothing reads the file then.
    """
    text = _replaced(document.text, editor.edits(Fix((edit,), safe=False)))
    made = read(document.path, text.encode(), trainer=trainer)
    if made.kind == document.kind:
        return made  # what is left of it may be another trainer's
    made = read(document.path, text.encode(), loader=document.loader)
    return made.as_kind(Kind(document.kind, document.dialect, document.loader))


def _others(value: object) -> Iterator[object]:
    """Other values of the kind of a value."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from dict.fromkeys(one for one in (value * 2, value + 1, value // 2, 1, 0) if one != value)
    elif isinstance(value, float):
        yield from (value * 2, value / 2)
    elif isinstance(value, str):
        yield from (_TYPED.get(one, one) if value == _AUTO else one for one in _other_texts(value))
        if value == _AUTO:
            yield from _COUNTS
    elif value is None:
        yield from (True, False, 1, _OTHER)


def _other_texts(text: str) -> Iterator[str]:
    found = dict.fromkeys(word for words in _WORDS if text in words for word in words)
    if not found and text.upper() in BACKENDS:
        found = dict.fromkeys(BACKENDS)
    elif text.isdecimal() and len(text) < _DIGITS:
        found = dict.fromkeys((str(int(text) * 2), str(int(text) + 1)))
    yield from (one for one in (*found, _OTHER) if one != text)


def _shown(new: object) -> str:
    """A value in the words of the file; of a text that is not known what it may be, nothing is repeated."""
    if new == _OTHER:
        return "another text"
    return str(new).lower() if isinstance(new, bool) else str(new)


def _of_script(document: Document, line: int) -> Iterator[_Value]:
    from fp8check.rules.edits.action import GONE
    from fp8check.rules.edits.python_file import Computed, PythonFile

    try:
        script = PythonFile(document)
    except Unfixable:
        return
    for path in script.names:
        if script.line(path) != line:
            continue
        old, name = script.value(path), script.name(path)
        values = [] if isinstance(old, Computed) else [*_others(old)]
        for value in (*values, GONE):
            try:
                edits = script.text_edits({path: value})
                made = read_script(document.path, _replaced(document.text, edits).encode())
            except (Unfixable, InputError):
                made = None
            yield _Value(f"without {name}" if value is GONE else f"{name}={_shown_literal(value)}", made)


def _shown_literal(new: object) -> str:
    return _shown(new) if new == _OTHER else repr(new)


def _replaced(text: str, edits: Iterable[TextEdit]) -> str:
    for one in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: one.start] + one.text + text[one.end :]
    return text


def _in_shell(document: Document, command: Line, line: int) -> Iterator[tuple[str, int, int, str]]:
    """Words of a command and variables that stand on a line as they are: what takes their place, and where."""
    words = command.words
    for at, word in enumerate(words):
        span = word.span
        if span.line != line or document.text[span.start : span.end] != word.text or not word.text.startswith("--"):
            continue
        name, equals, value = word.text.partition("=")
        if equals:
            first = span.start + len(name) + 1
            yield from ((f"{name}={_shown(one)}", first, span.end, one) for one in _other_texts(value))
        following = words[at + 1] if at + 1 < len(words) and not equals else None
        end = span.end
        if following is not None and not following.text.startswith("-"):
            place = following.span
            if document.text[place.start : place.end] == following.text:
                end = place.end
                for one in _other_texts(following.text):
                    yield f"{name} {_shown(one)}", place.start, place.end, one
        yield f"without {name}", span.start, end, ""
    for name, word in command.variables.items():
        span = word.span
        written = document.text[span.start : span.end]
        if span.line != line or not written.endswith(word.text) or not word.text:
            continue
        first = span.end - len(word.text)
        yield from ((f"{name}={_shown(one)}", first, span.end, one) for one in _other_texts(word.text))
