"""Runs the released packages on a CPU and records what they really do with a configuration.

`stacks` installs pinned releases side by side, `generate` makes cases, `record` executes them, `compare` holds the
recorded truth against what `fp8check.rules.outcome` predicts.
"""
