"""
Shadow reads: the database answers, and a share of what the cache would have said is compared with it.

A difference counts only if it stands on a second look: the entry is asked again, still validates, still says the same, and the database
still says something else. Whatever was merely in flight between the two reads has gone by then.
"""

from __future__ import annotations

import random

from cache_consistency import events, switches
from cache_consistency.conf import app_settings
from cache_consistency.protocol.entries import validate
from cache_consistency.protocol.questions import Question
from cache_consistency.reading.shell import ReadShell


def shadowing() -> bool:
    return switches.reads() == "shadow"


def compare(shell: ReadShell, question: Question, answer: object) -> None:
    """Compare a hit with the database, for the share of reads that the settings ask for; count the outcome."""
    if answer.__class__ is not bytes or random.random() >= app_settings().SHADOW_SHARE:
        return
    if _database_says(shell) == answer:
        events.count("shadow", shell.label, "equal")
        return
    again = _second_look(shell, question)
    if again is not None and again != _database_says(shell) and again == _second_look(shell, question):
        events.emit(events.Event("shadow", shell.label, "stale", {"question": question.canonical.decode("ascii", "replace")}))
    else:
        events.count("shadow", shell.label, "moved")


def _database_says(shell: ReadShell) -> bytes | None:
    payload = shell.load((0,)).payloads[0]
    return payload.data if payload is not None else None


def _second_look(shell: ReadShell, question: Question) -> bytes | None:
    tags = question.tags + question.also
    raw, *states, epoch = shell.store.get((question.key, *tags, f"{shell.store.keyspace.epoch}"))
    short = len(question.tags) if question.also else None
    found = validate(raw, states, epoch, question.canonical, short=short)
    return found if isinstance(found, bytes) else None
