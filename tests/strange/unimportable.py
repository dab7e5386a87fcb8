"""A module of a project that fails while it is imported."""

import os

vary = os.environ["NO_SUCH_VARIABLE_OF_THIS_PROJECT"]
