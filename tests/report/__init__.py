"""The report and the words of a result."""
