"""A library's shelf: the models on which races, differential tests and the bench are played."""
