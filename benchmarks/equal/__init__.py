"""Slalom beside others at equal seconds: data sets, contestants, the judge, and the tables of docs/results.md."""
