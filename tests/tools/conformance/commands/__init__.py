"""Whole commands, as people type them, run for real in a folder of files and compared with what fp8check says of them.

A case is a folder of files, one shell command, and a machine. `bash` runs the command; wrappers, launchers and trainers
are the released programs, each a process of its own. Only two things are not as on the user's machine: an interpreter
starts as a fork of one that has the packages imported (interpreter.py), and the GPU answers as the case says
(../machine.py). Each recorded case names what else was replaced.
"""
