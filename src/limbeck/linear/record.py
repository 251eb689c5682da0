"""What a fit writes down about itself, so that its choice can be understood.

In: the fit. Out: plain values for JSON. It does not know files.
"""

from dataclasses import asdict
from typing import Any

from limbeck.linear.fit import ProbeFit


def fit_record(fit: ProbeFit) -> dict[str, Any]:
    """Say what cross-validation chose and how well the fit converged."""
    return {
        "candidate": fit.candidate,
        "penalty": fit.penalty,
        "chosen_by": fit.metric,
        "scores": [asdict(score) for score in fit.scores],
        "iterations": fit.iterations,
        "objective": fit.objective,
        "gap": fit.gap,
        "gradient": fit.gradient,
        "notes": list(fit.notes),
    }
