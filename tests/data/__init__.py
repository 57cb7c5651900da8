"""Files and frames, columns, the target, and who gets which rows."""
