"""How good the answers are: pure functions of arrays, and the values that carry them, Evaluation and Predictions.

In: probabilities and labels. Out: scores with intervals, files of predictions.
It does not know models, texts or charts.
"""
