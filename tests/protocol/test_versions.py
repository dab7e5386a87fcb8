"""States of tags as bytes."""

from __future__ import annotations

import pytest

from cache_consistency.protocol.versions import Taken, is_clean, tokens


@pytest.mark.parametrize(("state", "clean", "names"), [
    (None, False, ()),
    (b"", False, ()),
    (b"cabc", True, ()),
    (b"p;t1,1010;", False, (b"t1",)),
    (b"pabc;t1,1010;t2,0;", False, (b"t1", b"t2")),
])
def test_a_state_says_whether_it_is_clean_and_who_is_pending(state: bytes | None, clean: bool, names: tuple[bytes, ...]) -> None:
    assert is_clean(state) is clean
    assert tokens(state) == names


def test_two_takes_of_one_fill_are_storable_together_only_in_one_epoch() -> None:
    first, second = Taken(b"e1", True, (b"ca",)), Taken(b"e1", True, (b"cb",))
    assert first.joined(second) == Taken(b"e1", True, (b"ca", b"cb"))
    assert not first.joined(Taken(b"e2", True, (b"cb",))).storable
    assert not first.joined(Taken(b"e1", False, (b"cb",))).storable
    assert not Taken(b"e1", False, ()).joined(first).storable
