"""What runs inside the training environment: one short real FP8 step, told event by event.

These files import nothing of fp8check: the parent starts the training environment's interpreter, which loads this
folder as a package of its own (probe/process.py BOOT). Specification: JSON on standard input. Answer: one JSON object
a line, on a file descriptor of its own, so that what libraries print does not mix with it, and so that a crash leaves
what was seen before it.
"""
