"""Marks and resolves round every commit, and the rules, signals and calls that add to them."""
