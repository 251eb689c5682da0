"""Over many runs: sweeps, ablations, cross-fits, learning curves."""
