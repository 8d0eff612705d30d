"""Write tests/corpus_reviewed.yaml anew from what is found today; the reasons stay, new kinds get none.

python -m tests.tools.corpus_review FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from tests.support.paths import TESTS
from tests.tools.corpus import MACHINES, findings, reports

REVIEWED = TESTS / "corpus_reviewed.yaml"
HEAD = """\
# What fp8check says of the files of ../shared/corpus, and why each kind of finding is right. tests/test_corpus.py holds
# it to this; `make corpus-review` writes it anew, and whoever does gives every new kind its reason.
"""


def main() -> None:
    """Write the file."""
    known = yaml.safe_load(REVIEWED.read_text()) if REVIEWED.exists() else {}
    whys = {rule: entry["why"] for entries in known.values() for rule, entry in entries.items()}
    made = {
        machine: {
            rule: {"why": whys.get(rule, ""), "found": places}
            for rule, places in findings(reports(Path(sys.argv[1]), machines)).items()
        }
        for machine, machines in MACHINES.items()
    }
    REVIEWED.write_text(HEAD + yaml.safe_dump(made, width=118, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    main()
