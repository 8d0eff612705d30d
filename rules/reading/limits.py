"""How much of a file is read: bounds that no real configuration comes near, and that a hostile one cannot pass."""

from __future__ import annotations

# The largest of 175 public configurations has under 2 KiB; 1 MiB is still read in seconds by PyYAML's own parser.
MAX_BYTES = 1 << 20

# Those files nest 3 deep. PyYAML recurses and gives up before 500 levels, and so would the code here and in every tool.
MAX_DEPTH = 100

# Keys and values that stand in the file; half as many findings are still told in two seconds, in every format. Ten
# thousand is where OmegaConf 2.4 stops.
MAX_NODES = 12_000

# Keys and values after every alias and merge key is written out: what a loop over the data would meet.
MAX_EXPANDED = 12_000

# Characters of a number. To read one in base 60 takes a time that grows with the square of its length, and Python makes
# no text of a number of more than 4,300 digits.
MAX_NUMBER = 1_000

# Characters of the keys from the top down to a value: each value below has them in its own JSON pointer.
MAX_PATH = 1_000
