"""What comes behind the first step: saving, resuming, evaluating, generating and exporting a run in FP8.

One program a trainer asks its questions one after another and writes an answer a question, so that one that fails hides
no other. The same programs run on a CPU with the stand-in for Transformer Engine, and on GPUs with the real one.
"""
