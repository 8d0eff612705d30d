"""`make fuzz`: hostile inputs by the million, held against what must be true of every answer.

    python -m tests.tools.fuzz --workers 2 --seconds 60 --seed 1 --out .fuzz [--target NAME ...]
    python -m tests.tools.fuzz --replay .fuzz/findings/FILE.json

An input is a case: texts by name (a training file, an Accelerate file, a launch line, facts, ...). The first ones are the
case files of the rules and the examples; new ones are made of them (mutation.py), and one that reaches a line of
fp8check that none reached before is kept to make others of it, where the interpreter tells that at no cost (3.12 and
newer). A target (targets.py, service.py) does something with a case and raises where the answer is not as it must be
(invariants.py). Each target has a process of its own in each worker (work.py): a crash or an endless loop ends that
process, is noted with its input, and the next one goes on. Inputs depend on the seed, the worker's number and the
interpreter's release, not on time.
"""
