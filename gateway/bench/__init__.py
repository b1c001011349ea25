"""The benchmarks behind README's figures: ratios against a peer or a floor that is measured in the same run."""
