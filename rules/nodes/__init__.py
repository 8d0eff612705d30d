"""The nodes of a cluster: what one of them tells of itself, all of them together, and where they differ.

One file a step: hosts -> document (HOST.json) -> digest (what is compared of it) -> merged (of many nodes, and of
merged ones again) -> drift and outliers -> fleet (one verdict, and who stands where).
"""
