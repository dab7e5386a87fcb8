"""
The shop under traffic, with the number of stale reads on screen: ``python -m example_project.demo``, or ``make demo``.

`conductor` starts and ends everything; `shopper` and `clerk` are the traffic, one process each, through the shop's own services; `board`
is the memory they share: what is known to be committed, and what was counted; `judge` says whether a read was stale.
"""
