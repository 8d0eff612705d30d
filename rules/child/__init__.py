"""The one way to start another program: whatever it is, it gets what stands here and no more.

- Its environment is an allow-list (environment.py), of this process's own variables; those of a run come through a
  second list, which is shorter.
- Its working folder is a new one, empty and of this user alone, and is removed.
- What it prints, and how long it takes, is limited (run.py).
- It ends with all that it started, also in sessions of their own, when it is done, when its time is over and when this
  process ends, by whatever signal: a supervisor sees to that (supervisor.py, supervised.py).
- An interpreter never has the current folder on its path (python.py).
"""
