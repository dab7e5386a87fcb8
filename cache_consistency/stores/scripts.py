"""The Lua scripts: read once, sent by their hash, and by their source where the server has forgotten them."""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Sequence

from cache_consistency.stores import wire

_NEEDS = {"ensure_epoch": ("generation",), "take": ("generation", "state"), "mark": ("state",), "resolve": ("state",)}
"""What is put in front of each script."""


class Script:
    """One script of ``lua/``; its contract stands at its head."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source = "".join(map(_read, (*_NEEDS[name], name)))
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def by_hash(self, keys: Sequence[str], *args: str) -> bytes:
        """Pack EVALSHA; answered with NOSCRIPT after SCRIPT FLUSH, a restart or a failover, and then nothing was executed."""
        return wire.command("EVALSHA", self.sha, str(len(keys)), *keys, *args)

    def by_source(self, keys: Sequence[str], *args: str) -> bytes:
        """Pack EVAL, which also makes the server remember the script."""
        return wire.text_command(("EVAL", self.source, str(len(keys)), *keys, *args))


def _read(name: str) -> str:
    return importlib.resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@functools.cache
def script(name: str) -> Script:
    """Return the script ``ensure_epoch``, ``take``, ``mark`` or ``resolve``."""
    return Script(name)
