"""What the user has said of findings before: suppressions (known, and why) and the baseline (known since then)."""
