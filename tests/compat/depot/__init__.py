"""An app of a small project that processes of their own run, beside whatever else they install; this process never does."""
