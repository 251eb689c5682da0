"""How facts are shown: charts, tables, reports.

In: evaluations, audits, counts. Out: pictures, rows of text, pages. It does not know models and computes no score.
"""
