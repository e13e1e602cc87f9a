"""Checks that no library has: the sizes that the house aims at, and the links of the documentation."""
