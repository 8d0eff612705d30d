"""fp8check over checkouts of public repositories: crashes, false alarms, launch lines, and whether faults are found.

Nothing of these repositories is part of the project: the tools take the folder that holds the checkouts, one folder a
repository.
"""
