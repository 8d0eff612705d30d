"""The attacks and faults that broke release 0.1.0, each in words; a test of this folder tries it, and names it.

The tests go through the command and HTTP only, so that they can be run against another release as well:
`make attacks AGAINST=/path/to/venv/bin/fp8check`.
"""

from __future__ import annotations

from typing import Any

import pytest

LINES = {
    # Runs code, or writes where it must not
    "A1": "variables of a request or of a launch line reach the probe child: LD_PRELOAD, PYTHONPATH, PATH, BROWSER",
    "A2": "a checkout's configuration names a program, and a bare fp8check starts it",
    "A3": "a tracked file that is named like an option is taken for one by the hook",
    "A4": "python -c with the current folder on its path runs the checkout's json.py or transformer_engine/",
    # Unknown is a pass
    "U1": "a named DeepSpeed file that is missing or unreadable counts as clean",
    "U2": "a script that is missing, unreadable, too large, without .py, started by -m or too deep counts as clean",
    "U3": "the folder of Accelerate's default_config.yaml cannot be read: pass",
    "U4": "the hook is silent on a file that is unreadable, not UTF-8, too large, or a dangling link",
    "U5": "nvidia-smi exits 0 and prints nothing: taken for no GPU",
    "U6": "a script that turns FP8 on itself: bf16, no FP8, exit 0",
    "U7": "kwargs_handlers that are not a literal: no FP8, pass",
    # Exit 4
    "E1": "a JSON Accelerate file that is indented with tabs: exit 4 in every format but text, in fix, and HTTP 500",
    "E2": "--launch trl and --launch axolotl: exit 4",
    "E3": "a lone surrogate in a value: exit 4",
    "E4": "a date, bytes or a set as mixed_precision: exit 4",
    "E5": "--num_processes with a superscript or 5,000 digits: exit 4",
    "E6": "words instead of versions of cuDNN, CUDA or the driver in facts.json: exit 4",
    "E7": "a pynvml that raises anything but ImportError: exit 4",
    "E8": "standard output is ASCII: exit 4",
    "E9": "standard output or input is closed: exit 4; standard error is closed: exit 2 becomes 1",
    # No end
    "Q1": "suppression comments: 224 KB take 20 s",
    "Q2": "unknown fp8_config keys: 329 KB take over 14 s",
    "Q3": "sexagesimal numbers: 900 KB take over 13 s",
    "Q4": "fix --unsafe with 600 unknown keys: 10 KB take 47 s",
    "Q5": "5,000 training files in one command: 155 s and 1.07 GB",
    "Q6": "eight slow bodies delay every larger check of the service; its queue has no bound",
    "N1": "a FIFO as baseline, facts or --config hangs",
    "N2": "baseline=/dev/zero takes all memory",
    "N3": "a --python that prints without end takes all memory",
    "N4": "a libnvidia-ml that hangs hangs the command",
    # Loses data
    "L1": "fix --unsafe on a misspelt section deletes the section, or renames one key to another",
    "L2": "fixes that undo each other: said to be fixed, the file as before",
    "L3": "a full disk replaces a good file by cut JSON",
    "L4": "with two files the first stays changed where the second fails",
    "L5": "hard links break; owner and extended attributes go",
    "L6": "standard input loses its byte order mark",
    "L7": "a concurrent edit is lost",
    "L8": "kill -9 leaves temporary files",
    # From other nodes
    "H1": "HOST.json names a host that is a path or an option: files elsewhere, words of srun --exclude",
    "H2": "HOST.json has escapes, commands of CI and credentials in its values: they reach reports and terminals",
    "H3": "HOST.json is huge, deep, a FIFO or a device: no end, or all memory",
    "H4": "HOST.json says pass, and nobody can read the rest of it: the node passes",
    # Says too much
    "S1": "the text report prints values raw: ::stop-commands:: begins a line, ESC reaches the terminal",
    "S2": "ESC and bidirectional characters reach GitHub and HTML output",
    "S3": "standard error prints file names, toml keys and launch flags raw",
    "S4": "##[cmd] passes",
    "S5": "a named file outside of the run's folder is embedded in HTML reports",
    "S6": "secrets in --launch are unmasked in JSON; ya29., AIza, npm_, pypi-, glsa_ are not known",
    "S7": "the SQLite file is 0644 and holds share secrets in plain text",
    "S8": "an empty tokens file serves openly without a warning",
    "S10": "with --color a credential that begins what is painted is not masked: the paint is taken for a part of it",
    "S9": "SIGTERM of the command during a probe orphans its grandchildren",
}


def attack(*ids: str) -> Any:
    """Mark a test with the lines that it tries; an id that LINES has not is an error."""
    unknown = [one for one in ids if one not in LINES]
    if unknown or not ids:
        raise ValueError(f"no such line: {unknown}")
    return pytest.mark.attack(*ids)
