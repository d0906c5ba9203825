"""Painting H&E fields: nuclei, tissue around them, and the scanner that looks at it."""
