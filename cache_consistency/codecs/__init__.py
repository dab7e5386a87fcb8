"""Bytes for rows and results: ``rows`` knows a model's columns, ``values`` describes itself. No pickle anywhere."""
