"""Tests: rooms of the package mirrored by name; `races`, `scenarios` and `compat` across it."""
