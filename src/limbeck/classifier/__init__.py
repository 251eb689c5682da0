"""The scikit-learn face of limbeck: estimators over texts and over numbers.

Needs scikit-learn, which nothing below this room does.
"""

from importlib.util import find_spec

from limbeck.errors import MissingExtraError

if find_spec("sklearn") is None:
    raise MissingExtraError(
        "TextClassifier, TextRegressor, TextFeatures and ProbeClassifier are scikit-learn estimators, and scikit-learn "
        'is not installed: pip install "limbeck[sklearn]"'
    )
