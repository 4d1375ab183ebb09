"""Seeded fuzz of everything that reads files: `python -m tests.fuzz --help`.

What a reader takes must be the rows that plain Python finds in the file; what it does not take it refuses by name.
"""
