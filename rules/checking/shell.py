"""From shell scripts to runs: one for each line that starts a training, with its place in the script."""

from __future__ import annotations

import os
from itertools import pairwise

from fp8check.rules.checking.runs import Assembled, WrongFiles, assemble
from fp8check.rules.checking.training import is_sure, is_training, sounds_like_training
from fp8check.rules.facts.variables import matters
from fp8check.rules.reading import Span, Unreadable, files
from fp8check.rules.reading.shell import ShellScript
from fp8check.rules.record import Record
from fp8check.rules.settings.launch import LAUNCHERS, Launch, LaunchError, NotARun, written_by
from fp8check.rules.settings.programs import FOREIGN
from fp8check.rules.settings.shell import lines
from fp8check.rules.settings.shell_lines import Line, Place
from fp8check.rules.settings.values import FILLED_IN, Origin, Setting, is_filled_in
from fp8check.rules.settings.working_folder import called_from_here, names_a_place, places_of
from fp8check.rules.settings.wrappers import starts_with_a_wrapper, unwrap
from fp8check.rules.trainers import registry
from fp8check.rules.trainers.commands import of_words
from fp8check.rules.trainers.detect import read
from fp8check.rules.trainers.run import Run, Unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fp8check.rules.checking.training import Told
    from fp8check.rules.facts import Facts
    from fp8check.rules.reading import Document

# Lines of one script that start a training, and that may; public ones have up to 60.
MAX_LAUNCHES = 200
MAX_PROGRAMS = 1_000
UNSURE = "whether it trains is not known"
_FILES = (".yaml", ".yml", ".json", ".py")


class Given(Record):
    """What is given beside the files.

    Attributes:
        trainer: who is said to read the training files; None: told by their content.
        follow: whether files that a line names are read. Never where the script comes from strangers.
        scripts: Python scripts that were sent along, with their names.
        in_hook: whether the files are the changed ones of a commit: a script that starts nothing is passed over, and
            nobody knows whether other files belong to it.
        arguments: what the script is started with; None where that is not known.
        variables: what the command that starts it sets.
    """

    facts: Facts
    trainer: str | None = None
    follow: bool = True
    scripts: tuple[tuple[str, bytes], ...] = ()
    in_hook: bool = False
    arguments: tuple[str, ...] | None = None
    variables: Mapping[str, str] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that a script starts with, as far as they are known."""
        return {**(self.facts.variables or {}), **self.variables}


def assembled(documents: Sequence[Document], given: Given) -> Iterator[Assembled]:
    """The runs of the shell scripts among these files, each made when it is asked for.

    A file that is given beside a script is that of the lines that name it; one that no line names is that of all lines
    that name none of its kind.

    Raises:
        WrongFiles: no line of any script starts a training.
    """
    others = () if given.in_hook else tuple(one for one in documents if one.kind != "shell")
    without: list[Document] = []
    some = False
    for document in documents:
        script = document.loaded() if document.kind == "shell" else None
        if not isinstance(script, ShellScript):
            continue
        count = 0
        for count, run in enumerate(_of_script(script, others, given), 1):  # noqa: B007
            yield run
        some = some or count > 0
        if count == 0:
            without.append(document)
    if given.in_hook:
        return
    for document in without:
        if not some:
            raise WrongFiles(_nothing(document))
        yield _not_a_run(document, given.facts, _nothing(document), Span(document.path, 1, 1, 1, 1))


def _nothing(script: Document) -> str:
    return f"{script.path}:1:1: no line of this script starts a training that fp8check knows"


def _not_a_run(script: Document, facts: Facts, why: str, span: Span) -> Assembled:
    """A place of a script from which nobody knows what it starts: that is no pass."""
    launch = Launch("", unknown=why, line=Line.at(span))
    return Assembled(Run(launch, facts, unread=(_unread(launch, why),)), (script,))


def _of_script(script: ShellScript, others: Sequence[Document], given: Given) -> Iterator[Assembled]:
    known: dict[str, Document | None] = {}
    told: dict[str, Told] = {}
    launches = list(_launches(script, given))
    named = {name for launch in launches for name in _names(launch)}
    count = 0
    for launch in launches:
        documents = _beside(others, launch, named)
        if given.follow and not any(document.kind == "accelerate" for document in documents):
            documents += _read_once(launch, known)
        for assembled_run in _runs(launch, documents, given):
            if is_training(assembled_run, told, follow=given.follow):
                count += 1
                if count > MAX_LAUNCHES and launch.line is not None:
                    where = launch.line.span.start
                    raise script.source.error(where, f"more than {MAX_LAUNCHES} lines start a training")
                yield assembled_run._replace(run=_told(assembled_run.run), documents=(script, *assembled_run.documents))
    if script.stopped is not None:
        why = f"{script.stopped}: what stands behind it was not read"
        at = script.stopped.offset
        yield _not_a_run(script, given.facts, why, script.source.span(at, at + 1))


def _told(run: Run) -> Run:
    """The run, with what is not known of it: whether it is one, where its script cannot be read and nothing tells."""
    if is_sure(run):
        return run
    unsure = [
        unread._replace(why=f"{unread.why}: {UNSURE}", decides=True) if unread.input == "script" else unread
        for unread in run.unread
    ]
    if not any(unread.decides for unread in unsure):  # a script that was read, and does many things
        name = str(run.launch.script)
        why = f"what {name} is told to do is not known: {UNSURE}"
        place = Setting(name, Origin(flag=name))
        unsure.append(Unread("script", name, why, place, "the file that tells it", decides=True))
    return run._replace(unread=tuple(unsure))


def programs_of(script: ShellScript, given: Given) -> tuple[Line, ...]:
    """The lines of a script that start a program that may train."""
    return _lines(script, given._replace(arguments=None, variables={}))[:MAX_PROGRAMS]


def _lines(script: ShellScript, given: Given) -> tuple[Line, ...]:
    """The lines of a script that start a program that may train, as they are with what is given beside it."""
    environment, follow = given.environment, given.follow and script.path != "-"

    def read() -> tuple[Line, ...]:
        programs = LAUNCHERS | registry.PROGRAMS | FOREIGN.keys() | {"accelerate-launch"}
        load = Files(os.path.dirname(script.path)).text if follow else None
        return tuple(lines(script, programs, _reaches, environment, load, given.arguments))

    return script.once((follow, given.arguments, tuple(environment.items())), read)


def _launches(script: ShellScript, given: Given) -> Iterator[Launch]:
    """What the lines of a script start."""
    count = 0
    for line in _lines(script, given):
        there, places = _found(line, script) if given.follow else (line, ("",))
        launch = _launch(there, given.trainer)
        if launch is None:
            continue
        launch = launch._replace(rewritten=dict(_rewritten(line, there)), modules_in=tuple(places))
        count += 1
        if count > MAX_PROGRAMS:
            raise script.source.error(line.span.start, f"more than {MAX_PROGRAMS:,} lines start a program")
        yield launch


def _rewritten(line: Line, found: Line) -> Iterator[tuple[str, str]]:
    """The files of a line, as found from here, that its script writes before it, and why they are not known."""
    for word, there in zip(line.words, found.words, strict=True):
        number = line.changed_by(os.path.join(found.folder or "", word.text.rpartition("=")[2]))
        if number is not None:
            yield there.text.rpartition("=")[2], written_by(number)


def _reaches(name: str) -> bool:
    return matters(name) or name.startswith("SLURM_")


def _launch(line: Line, trainer: str | None) -> Launch | None:
    """What a line starts; None where that is no training."""
    words = [word.text for word in line.words]
    variables = {name: place.text for name, place in line.variables.items()}
    try:
        launch = of_words(words, variables, None if trainer is None else registry.find(trainer), None)
    except NotARun as reason:
        hidden = _hidden(words)
        if not hidden and not line.unread:
            return None
        launch = Launch("", variables=variables, unknown=f"it names {hidden}; {reason}" if hidden else str(reason))
    except LaunchError as reason:
        launch = Launch("", variables=variables, unknown=str(reason))
    if launch.script is None and launch.tool != "python" and not (launch.unknown or launch.through):
        launch = launch._replace(unknown=f"{launch.tool} is given no program to start")
    because = next((why for word in line.words if word.text in launch.unknown and (why := line.why(word.text))), "")
    unknown = f"{launch.unknown}{because}" if launch.unknown else ""
    return _without_passed_on(launch)._replace(line=line, unknown=unknown)


# Programs that a launcher is named to without being started.
_NAMING = frozenset(
    (
        *("echo", "printf", "grep", "egrep", "pgrep", "pkill", "killall", "which", "type", "cat", "sed", "awk", "ls"),
        *("pip", "pip3", "conda", "mamba", "apt", "apt-get", "brew", "git", "test", "mkdir", "rm", "cp", ":"),
    )
)
_NAMING_COMMANDS = frozenset(("install", "uninstall", "which", "build", "pull", "push"))


def _hidden(words: Sequence[str]) -> str:
    """The launch that stands behind a program of which nothing is known: `./wrapper.sh torchrun train.py`."""
    if not words or words[0].startswith("[") or os.path.basename(words[0]) in _NAMING or _NAMING_COMMANDS & set(words):
        return ""
    for word, following in pairwise(words):
        name = os.path.basename(word)
        starts = following.startswith("-") or following.endswith(".py")
        if (name, following) == ("accelerate", "launch") or (starts and name in ("torchrun", "deepspeed")):
            return f"{name} {following}"
        is_python = name.startswith("python") and following.endswith(".py")
        if (name in registry.PROGRAMS and following == "train") or (is_python and sounds_like_training(following)):
            return f"{name} {following}"
    return ""


def _without_passed_on(launch: Launch) -> Launch:
    """The launch without the arguments of the script that it hands on: it is taken as started without any."""
    arguments = tuple(word for word in launch.arguments if word not in ("${@}", "${*}"))
    return launch._replace(arguments=arguments)


def _unread(launch: Launch, why: str) -> Unread:
    span = None if launch.line is None else launch.line.span
    return Unread("other", "the launch line", why, Setting("", Origin(span=span)), FILLED_IN)


def _facts_of(line: Line, facts: Facts) -> Facts:
    """The facts as they are for a line: without the variables that its script takes away; what may set more."""
    facts = facts._replace(unseen=line.sourced) if line.sourced else facts
    if not line.unset or not facts.variables:
        return facts
    return facts._replace(variables={name: value for name, value in facts.variables.items() if name not in line.unset})


def _runs(launch: Launch, documents: Sequence[Document], given: Given) -> Iterator[Assembled]:
    """The runs of one line, as if it was the launch command."""
    script = _sent(launch, given.scripts)
    facts = given.facts if launch.line is None else _facts_of(launch.line, given.facts)
    try:
        yield from assemble(documents, facts, launch=launch, trainer=given.trainer, follow=given.follow, script=script)
    except WrongFiles as reason:
        yield Assembled(Run(launch, facts, unread=(_unread(launch, str(reason)),)), tuple(documents))


def _sent(launch: Launch, scripts: Sequence[tuple[str, bytes]]) -> tuple[str, bytes] | None:
    """The script that a line starts among those that were sent along."""
    name = os.path.basename(launch.script or "")
    return next((script for script in scripts if os.path.basename(script[0]) == name), None)


# Files


def _names(launch: Launch) -> set[str]:
    """The names in a line that may be those of files, without their folders."""
    words = (*map(str, launch.flags.values()), *launch.arguments, launch.script or "")
    return {os.path.basename(word.rpartition("=")[2]) for word in words}


def _beside(others: Sequence[Document], launch: Launch, named: set[str]) -> list[Document]:
    """The given files that are those of a line.

    Args:
        named: what any line of the script names.
    """
    own = _names(launch)
    kinds = {document.kind for document in others if os.path.basename(document.path) in own}
    kinds |= {"script"} if launch.config_file is None else {"script", "accelerate"}
    left = {os.path.basename(document.path) for document in others if document.kind not in kinds} - named
    return [document for document in others if os.path.basename(document.path) in own | left]


def _read_once(launch: Launch, known: dict[str, Document | None]) -> list[Document]:
    """The Accelerate file of a line, which others may name as well; whatever is wrong with one is said by its run."""
    path = launch.config_file
    if path is None or not path.endswith(_FILES) or is_filled_in(path) or launch.changed(path):
        return []
    if path not in known:
        try:
            known[path] = read(path)
        except Unreadable:
            known[path] = None
    document = known[path]
    return [document] if document is not None and document.kind == "accelerate" else []


def _found(line: Line, script: ShellScript) -> tuple[Line, Sequence[str]]:
    """The line with the files that it names, as they are found from here; and where its modules are looked for."""
    folder, lost = line.folder or "", line.lost
    other = _wrappers_folder(line)
    if other is not None and (other.why or os.path.isabs(other.text)):
        folder, lost = other.text, other if other.why else None
    elif other is not None and lost is None:
        folder = os.path.normpath(os.path.join(folder, other.text))
    if lost is not None:
        return line.with_words([_elsewhere(word, lost) for word in line.words]), ()
    places = places_of(folder, os.path.dirname(script.path))
    line = line if other is None else line._replace(folder=folder)
    if places == [""]:
        return line, places
    return line.with_words([_found_word(word, places) for word in line.words]), places


def _wrappers_folder(line: Line) -> Place | None:
    """The folder in which a wrapper starts the command, from that of the script; None where none says one."""
    if not starts_with_a_wrapper([word.text for word in line.words[:1]]):
        return None
    try:
        inside = unwrap([word.text for word in line.words], {})
    except LaunchError:
        return None
    folder = inside.surroundings.folder
    if not folder:
        return None
    why = next((word.why for word in line.words if word.why and folder in word.text), "")
    if not why and (is_filled_in(folder) or folder.startswith("~")):
        why = "it is filled in later" if is_filled_in(folder) else "it is somebody's home"
    return Place(folder, line.span, why)


class Files:
    """The files that a script reads as parts of itself; each is read once, however often it is named."""

    __slots__ = ("_own", "_texts")

    def __init__(self, own: str) -> None:
        self._own = own
        self._texts: dict[tuple[str, str], str | Unreadable | None] = {}

    def text(self, name: str, folder: str) -> str | None:
        """The text of one, by its name and the folder that the script has gone to; None where there is none.

        Raises:
            Unreadable: it is there, and cannot be read.
        """
        if (name, folder) not in self._texts:
            self._texts[name, folder] = self._read(name, folder)
        text = self._texts[name, folder]
        if isinstance(text, Unreadable):
            raise text.with_traceback(None)  # or it grows by each time that it is asked for
        return text

    def _read(self, name: str, folder: str) -> str | Unreadable | None:
        from fp8check.rules.reading.limits import MAX_BYTES
        from fp8check.rules.reading.source import load

        for start in [""] if os.path.isabs(name) else places_of(folder, self._own):
            path = os.path.join(start, name)
            try:
                return load(path, files.read(path, MAX_BYTES)).text
            except Unreadable as error:
                if error.reason != "absent":
                    return error
        return None


def _found_word(word: Place, places: Sequence[str]) -> Place:
    return word._replace(text=called_from_here(word.text, places)) if _is_place(word) else word


def _is_place(word: Place) -> bool:
    return not word.why and names_a_place(word.text)


def _elsewhere(word: Place, folder: Place) -> Place:
    """A name in a folder that nobody knows: what is called so here is another file."""
    if not _is_place(word):
        return word
    flag, equals, name = word.text.rpartition("=")
    return word._replace(text=f"{flag}{equals}{folder.text}/{name}", why=folder.why)
