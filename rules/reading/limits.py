"""How much of a file is read: bounds that no real configuration comes near, and that a hostile one cannot pass."""

from __future__ import annotations

# The largest configuration of the public corpora that this was built on has 6 KiB; 1 MiB is still read in seconds by
# PyYAML's slow parser.
MAX_BYTES = 1 << 20

# Real files nest 4 to 6 deep. The tools recurse once or twice a level and die near 300 of them (Python's own limit is
# 1,000 frames), so what is deeper would not load there either.
MAX_DEPTH = 100

# Keys and values that stand in the file. Ten thousand is where OmegaConf 2.4 stops.
MAX_NODES = 50_000

# Keys and values after every alias and merge key is written out: what a loop over the data would meet.
MAX_EXPANDED = 50_000
