"""The book's settings, fitted to what was really liquidated."""
