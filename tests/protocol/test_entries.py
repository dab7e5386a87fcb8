"""Entries: what was packed comes back under the very same states, epoch and question, and under nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_consistency.protocol.entries import MAX_TAGS, Miss, pack, validate
from cache_consistency.protocol.versions import EPOCH_LENGTH, STATE_LENGTH, VERSION_LENGTH

EPOCH = b"e" * EPOCH_LENGTH
OTHER = b"f" * EPOCH_LENGTH
A, B, C = (b"c" + letter * VERSION_LENGTH for letter in (b"a", b"b", b"c"))
PENDING = b"p" + b"a" * VERSION_LENGTH + b";t1,1010;"

epochs = st.binary(min_size=EPOCH_LENGTH, max_size=EPOCH_LENGTH)
states = st.lists(st.binary(min_size=VERSION_LENGTH, max_size=VERSION_LENGTH).map(lambda version: b"c" + version), max_size=5)


@given(st.binary(max_size=200), epochs, states, st.binary(max_size=50), st.binary(max_size=30))
def test_an_entry_validates_under_what_it_was_packed_under(
    payload: bytes, epoch: bytes, states: list[bytes], canonical: bytes, rest_of_epoch: bytes
) -> None:
    raw = pack(payload, epoch=epoch, states=states, canonical=canonical)
    assert validate(raw, states, epoch + rest_of_epoch, canonical) == payload


@given(st.binary(max_size=50), epochs, states, st.binary(max_size=50), st.data())
def test_a_flipped_bit_never_validates_as_what_was_packed(
    payload: bytes, epoch: bytes, states: list[bytes], canonical: bytes, data: st.DataObject
) -> None:
    raw = bytearray(pack(payload, epoch=epoch, states=states, canonical=canonical))
    head = len(raw) - len(payload)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    answer = validate(bytes(raw), states, epoch, canonical)
    assert isinstance(answer, Miss) if place < head else answer != payload


@given(st.binary(max_size=50), epochs, states, st.binary(max_size=20), st.data())
def test_a_head_cut_short_never_validates(payload: bytes, epoch: Any, states: list[Any], canonical: bytes, data: st.DataObject) -> None:
    raw = pack(payload, epoch=epoch, states=states, canonical=canonical)
    cut = data.draw(st.integers(0, len(raw) - len(payload) - 1))
    assert isinstance(validate(raw[:cut], states, epoch, canonical), Miss)


@given(st.binary(max_size=300), st.lists(st.one_of(st.none(), st.binary(max_size=60)), max_size=4), st.one_of(st.none(), epochs))
def test_no_bytes_under_our_key_raise(raw: bytes, states: list[Any], epoch: Any) -> None:
    assert isinstance(validate(raw, states, epoch, b"?", short=2), (bytes, Miss))


@given(states.filter(bool), states.filter(bool), st.binary(max_size=20))
def test_an_entry_under_other_states_never_validates(packed: list[bytes], now: list[bytes], canonical: bytes) -> None:
    raw = pack(b"x", epoch=EPOCH, states=packed, canonical=canonical)
    assert (validate(raw, now, EPOCH, canonical) == b"x") is (packed == now)


@pytest.mark.parametrize(("states", "epoch", "canonical", "miss"), [
    ([A, B], OTHER, b"q", Miss.EPOCH),
    ([A, B], None, b"q", Miss.EPOCH),
    ([A, C], EPOCH, b"q", Miss.CHANGED),
    ([B, A], EPOCH, b"q", Miss.CHANGED),
    ([A], EPOCH, b"q", Miss.CHANGED),
    ([A, None], EPOCH, b"q", Miss.CHANGED),
    ([A, PENDING], EPOCH, b"q", Miss.PENDING),
    ([None, PENDING], EPOCH, b"q", Miss.PENDING),
    ([A, B], EPOCH, b"another", Miss.FOREIGN),
])
def test_a_miss_says_why(states: list[Any], epoch: Any, canonical: bytes, miss: Miss) -> None:
    assert validate(pack(b"x", epoch=EPOCH, states=[A, B], canonical=b"q"), states, epoch, canonical) is miss


@pytest.mark.parametrize(("states", "epoch", "miss"), [
    ([A, B], EPOCH, Miss.ABSENT),
    ([None, None], EPOCH, Miss.ABSENT),
    ([A, PENDING], EPOCH, Miss.PENDING),
    ([A, B], None, Miss.EPOCH),
])
def test_no_entry_is_a_miss_that_says_why(states: list[Any], epoch: Any, miss: Miss) -> None:
    assert validate(None, states, epoch, b"q") is miss


@pytest.mark.parametrize("raw", [b"", b"cc1", b"cc0" + b"x" * 200, b"\x80\x04pickle" + b"x" * 200])
def test_what_is_not_an_entry_is_foreign(raw: bytes) -> None:
    assert validate(raw, [A], EPOCH, b"q") is Miss.FOREIGN


def test_an_answer_in_which_nothing_is_missing_stands_under_the_first_states_alone() -> None:
    raw = pack(b"x", epoch=EPOCH, states=[A, B], canonical=b"q")
    assert validate(raw, [A, B, PENDING], EPOCH, b"q", short=2) == b"x"
    assert validate(raw, [A, B, None], EPOCH, b"q", short=2) == b"x"
    assert validate(raw, [A, C, B], EPOCH, b"q", short=2) is Miss.CHANGED
    assert validate(raw, [A, B, C], EPOCH, b"q") is Miss.CHANGED


def test_an_answer_in_which_something_is_missing_needs_the_further_states_too() -> None:
    raw = pack(b"x", epoch=EPOCH, states=[A, B, C], canonical=b"q")
    assert validate(raw, [A, B, C], EPOCH, b"q", short=2) == b"x"
    assert validate(raw, [A, B, B], EPOCH, b"q", short=2) is Miss.CHANGED
    assert validate(raw, [A, B, PENDING], EPOCH, b"q", short=2) is Miss.PENDING


@pytest.mark.parametrize("short", [None, MAX_TAGS + 1, 70_000])
def test_a_question_of_more_tags_than_any_entry_has_is_a_miss(short: int | None) -> None:
    raw = pack(b"x", epoch=EPOCH, states=[A], canonical=b"q")
    assert validate(raw, [A] * 70_001, EPOCH, b"q", short=short) is Miss.CHANGED


@pytest.mark.parametrize(("epoch", "states"), [
    (b"short", [A]),
    (EPOCH, [PENDING]),
    (EPOCH, [b"c" + b"a" * 40]),
    (EPOCH, [b""]),
])
def test_an_entry_is_not_packed_under_what_could_never_be_served(epoch: Any, states: list[Any]) -> None:
    with pytest.raises(ValueError, match="clean states of one epoch"):
        pack(b"x", epoch=epoch, states=states, canonical=b"q")


def test_the_widths_are_those_of_the_format() -> None:
    assert (STATE_LENGTH, EPOCH_LENGTH) == (42, 24)
