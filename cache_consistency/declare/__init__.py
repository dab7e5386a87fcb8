"""
What a project declares: policies, lookups, dependencies, and the one list of tables whose writes must be seen.

``policy`` and ``meta`` say what may be written down, ``tracked`` what follows from it, ``checks`` what is wrong with it.
"""
