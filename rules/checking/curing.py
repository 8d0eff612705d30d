"""A run with the cure of a finding done to it: its files, its command, its variables, its packages."""

from __future__ import annotations

from fp8check.rules.checking.stacks import changed_facts
from fp8check.rules.edits.unfixable import Unfixable
from fp8check.rules.reading.kind import CONFIGURATION
from fp8check.rules.reading.overlay import Overlay
from fp8check.rules.repair.apply import check_kind, edited
from fp8check.rules.repair.values import Places, assigned, data_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from fp8check.rules.checking.request import RunRequest
    from fp8check.rules.edits.action import Action
    from fp8check.rules.edits.fix import Fix
    from fp8check.rules.edits.text_edits import Editor
    from fp8check.rules.reading import Document


_GIVEN = (*CONFIGURATION, "script")  # files that may be given beside a command or a shell script that names them


def cured(part: RunRequest, known: Sequence[Document], fix: Fix | None, action: Action | None) -> RunRequest:
    """The part once a cure is made.

    Args:
        known: the files of its run, with those that it names: a fix may edit them, too.

    Raises:
        Unfixable: it cannot be made.
    """
    if fix is not None:
        part = part._replace(documents=edited(_with_named(part, known, fix), fix))
    return part if action is None else _acted(part, action)


def cured_as_values(
    part: RunRequest, known: Sequence[Document], editor: Editor, fix: Fix | None, action: Action | None
) -> RunRequest:
    """As `cured`, and no file is written and read again where its entries alone change: what follows is the same.

    Args:
        editor: of the files of the run: whether the text can be changed is asked of it.
    """
    if fix is None:
        return cured(part, known, fix, action)
    documents = _with_named(part, known, fix)
    editor.edits(fix)
    changed = _overlaid(documents, fix)
    if changed is None:
        return cured(part, known, fix, action)
    part = part._replace(documents=changed)
    return part if action is None else _acted(part, action)


def _overlaid(documents: Sequence[Document], fix: Fix) -> tuple[Document, ...] | None:
    """The files with what a fix comes to; None where that is more than their entries.

    Raises:
        Unfixable: a file would not be known for what it is any more.
    """
    files = {edit.file for edit in fix.edits}
    assigns = Places([document for document in documents if document.path in files]).assigns(fix)
    if assigns is None:
        return None
    made = []
    for document in documents:
        here = [(each.path, each.value) for each in assigns if each.file == document.path]
        if here:
            base = data_of(document)
            changed = Overlay(document, base).with_data(assigned(base, here))
            check_kind(document, changed)
            made.append(changed)
        else:
            made.append(document)
    return tuple(made)


def _with_named(part: RunRequest, known: Sequence[Document], fix: Fix) -> tuple[Document, ...]:
    """The documents of the part; with those that its run names, where the fix edits one of these.

    Raises:
        Unfixable: what is to be edited is in none of them.
    """
    given = part.documents
    wanted = {edit.file for edit in fix.edits} - {document.path for document in given}
    if not wanted:
        return given
    named = {document.path: document for document in known if document.path in wanted}
    if not wanted <= named.keys() or any(document.kind not in _GIVEN for document in named.values()):
        raise Unfixable("what decides this stands in no file of this run")
    return (*given, *named.values())


def _acted(part: RunRequest, action: Action) -> RunRequest:
    """The part with other variables, packages, or another command.

    Raises:
        Unfixable: that is not possible.
    """
    if action.packages and part.facts.packages is None:
        raise Unfixable("it is not known what is installed")
    launch = part.launch if action.launch is None else action.launch
    for flag in action.without:
        from fp8check.rules.moves.launching import without_flag

        launch = without_flag(launch, flag)
        if launch is None:
            raise Unfixable(f"{flag} does not stand in the command once")
    return part._replace(facts=changed_facts(part.facts, action.variables, action.packages), launch=launch)
