"""An app of a small project that processes of their own run, beside whatever else they install; never installed in the tests' own process."""
