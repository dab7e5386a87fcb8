"""Tests of the repository itself: documentation, scripts, packaging."""
