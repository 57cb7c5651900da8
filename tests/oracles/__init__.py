"""Every part, held against an independent answer."""
