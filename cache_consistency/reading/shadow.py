"""
Shadow reads: the database answers, and a share of what the cache would have said is compared with it.

A difference counts only if it stands on a second look: the entry is asked again, still validates, still says the same, and the database
still says something else. Whatever was merely in flight between the two reads has gone by then.
"""

from __future__ import annotations

import random

from cache_consistency import events
from cache_consistency.conf import app_settings
from cache_consistency.exceptions import StoreError
from cache_consistency.protocol.entries import validate
from cache_consistency.protocol.questions import Loaded, Question
from cache_consistency.reading.shell import ReadShell


def shadowing() -> bool:
    """Return whether a read that the cache may answer is only compared with it."""
    return app_settings().READS == "shadow"


def compared(shell: ReadShell, question: Question, answer: bytes | Loaded) -> Loaded:
    """
    Return what the database says.

    A hit is compared with it, for the share of reads that the settings ask for, and the outcome is counted.
    """
    if isinstance(answer, Loaded):
        return answer
    loaded = shell.load((0,))
    if random.random() < app_settings().SHADOW_SHARE:                # a sample, no secret
        outcome = _outcome(shell, question, answer, loaded)
        if outcome == "stale":
            events.emit(events.Event("shadow", shell.label, outcome, {"key": question.key}))
        else:
            events.count("shadow", shell.label, outcome)
    return loaded


def _outcome(shell: ReadShell, question: Question, answer: bytes, loaded: Loaded) -> str:
    if _payload(loaded) == answer:
        return "equal"
    again = _second_look(shell, question)
    if again is not None and again != _payload(shell.load((0,))) and again == _second_look(shell, question):
        return "stale"
    return "moved"


def _payload(loaded: Loaded) -> bytes | None:
    payload = loaded.payloads[0]
    return payload.data if payload is not None else None


def _second_look(shell: ReadShell, question: Question) -> bytes | None:
    tags = question.tags + question.also
    try:
        raw, *states, epoch = shell.store.get((question.key, *tags, shell.store.keyspace.epoch))
    except StoreError:
        return None
    short = len(question.tags) if question.also else None
    found = validate(raw, states, epoch, question.canonical, short=short)
    return found if isinstance(found, bytes) else None
