"""The linear probe: its folds, its solver, its search for a penalty; arrays only."""
