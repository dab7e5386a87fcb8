"""
Each rule of the protocol, and how to switch it off: what a test must notice.

``python -m tests.mutants`` runs, for each mutant, the tests that it names, with the rule off: they have to fail. A mutant is applied by
`tests/conftest.py` when ``CACHE_CONSISTENCY_MUTANT`` names it; nothing that is shipped knows of it.
"""

from tests.mutants.table import MUTANTS, Mutant, switch_off

__all__ = ["MUTANTS", "Mutant", "switch_off"]
