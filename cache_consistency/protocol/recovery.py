"""
RECOVER: find out that the writer of a token is over, and resolve it.

A token that has been there for a second belongs to a writer that is slow or dead. The database knows: *after* seeing the token, draw an
xid B. Everything that ran at that moment, the writer included, has an xid below B or none yet; once the oldest running xid of a later
snapshot is above B, everything that could still commit under the token has ended. (The youngest finished xid, ``xmax``, bounds nothing
that runs.) A mark is always sent by a transaction that already has its xid, because a tracked write runs inside BEGIN … COMMIT.
"""

from __future__ import annotations

from typing import cast

from cache_consistency.exceptions import StoreError
from cache_consistency.protocol import wishes
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.wishes import Steps


def recover(token: str, tags: tuple[Tag, ...]) -> Steps[bool]:
    """
    Resolve ``tags`` of a writer that is over; return whether that was done.

    To be begun after the token was seen, and gone on with after each `wishes.Pause` for as long as it still stands.
    """
    try:
        if not (yield wishes.Lease(token)):
            return False
        barrier = cast("int | None", (yield wishes.Barrier()))
        if barrier is None:
            return False                                            # no such oracle: the mark's deadline decides
        while cast("int", (yield wishes.Horizon())) <= barrier:
            yield wishes.Pause()
        yield wishes.Resolve(tags, token)
    except StoreError:
        return False                                                # the next reader begins anew
    return True
