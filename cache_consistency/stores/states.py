"""The states of one tag as the in-process store keeps them: what the scripts do to a string, done to an object. See `protocol.versions`."""

from __future__ import annotations

import dataclasses
import math

STICKY = 0


@dataclasses.dataclass(slots=True)
class TagState:
    """A tag that exists: a version, and the tokens of the writers it is pending for, each with its deadline in ms (0: none)."""

    base: str
    """The version; ``""`` while a tag that was absent is pending."""
    tokens: dict[str, int] = dataclasses.field(default_factory=dict)
    expires: float = math.inf
    """ms at which a clean tag is gone; a pending tag has no such moment."""

    @property
    def pending(self) -> bool:
        return bool(self.tokens)

    def encoded(self) -> bytes:
        if not self.tokens:
            return b"c" + self.base.encode("ascii")
        tokens = "".join([f"{token},{deadline};" for token, deadline in self.tokens.items()])
        return f"p{self.base};{tokens}".encode("ascii")

    def crowded(self, token: str, *, most: int) -> bool:
        return len(self.tokens.keys() - {token}) >= most

    def drop_what_is_over(self, now: int) -> bool:
        """Drop tokens whose deadline has passed; return whether there were any, so that the version has to be a new one."""
        alive = {token: deadline for token, deadline in self.tokens.items() if deadline == STICKY or deadline > now}
        dropped = len(alive) < len(self.tokens)
        self.tokens = alive
        return dropped

    def mark(self, token: str, deadline: int) -> None:
        self.tokens.pop(token, None)                                # the last one comes last, as in the script
        self.tokens[token] = deadline
        self.expires = math.inf

    def resolve(self, token: str, *, version: str, expires: float) -> bool:
        """Take the token off and give the tag a new version; return whether the token stood."""
        stood = self.tokens.pop(token, None) is not None
        self.base = version
        if not self.tokens:
            self.expires = expires
        return stood
