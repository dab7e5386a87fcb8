"""The checker sees what is stale, and holds nothing against the cache that cannot be decided."""

from example_project.demo import judge
from example_project.demo.board import Pair


def state(sequence: int, *, present: bool) -> int:
    return sequence << 1 | present


CREATED = Pair(state(5, present=True), state(5, present=True))
DELETED = Pair(state(6, present=False), state(6, present=False))
BEING_DELETED = Pair(state(6, present=False), state(5, present=True))


def test_a_row_older_than_what_had_returned_is_stale() -> None:
    assert judge.old_row(4, 5) == "version 4, committed before the read: 5"
    assert judge.old_row(5, 5) is None
    assert judge.old_row(6, 5) is None  # a writer that has committed and not yet returned


def test_one_old_row_makes_a_list_stale_and_is_named() -> None:
    assert judge.old_rows([(0, 3), (1, 2)], [3, 3]) == "row 1: version 2, committed before the read: 3"
    assert judge.old_rows([(1, 3)], [9, 3]) is None  # row 0 is not in the list, so nothing is known of it


class TestWhatComesAndGoes:
    def test_a_row_that_was_created_before_the_read_must_be_there(self) -> None:
        assert judge.came_and_went(None, CREATED, CREATED) == "missing, created as 5 before the read"
        assert judge.came_and_went(5, CREATED, CREATED) is None

    def test_a_row_that_was_deleted_before_the_read_must_not(self) -> None:
        assert judge.came_and_went(5, DELETED, DELETED) == "version 5, deleted as 6 before the read"
        assert judge.came_and_went(None, DELETED, DELETED) is None

    def test_an_earlier_life_of_the_row_is_stale(self) -> None:
        assert judge.came_and_went(3, CREATED, CREATED) == "version 3, created as 5 before the read"

    def test_while_it_is_being_deleted_both_answers_are_right(self) -> None:
        assert judge.came_and_went(None, BEING_DELETED, BEING_DELETED) is None
        assert judge.came_and_went(5, BEING_DELETED, BEING_DELETED) is None

    def test_a_deletion_that_began_during_the_read_may_be_seen(self) -> None:
        assert judge.came_and_went(None, CREATED, BEING_DELETED) is None

    def test_a_list_lacks_no_row_and_holds_no_old_one(self) -> None:
        pairs = [CREATED, DELETED]
        assert judge.flash_list({0: 5}, pairs, pairs) is None
        assert judge.flash_list({}, pairs, pairs) == "row 0: missing, created as 5 before the read"
        assert judge.flash_list({0: 5, 1: 5}, pairs, pairs) == "row 1: version 5, deleted as 6 before the read"


def test_a_label_is_judged_only_while_nobody_touches_it() -> None:
    assert judge.label_state(present=True, before=CREATED, after=CREATED) is None
    assert judge.label_state(present=False, before=CREATED, after=CREATED) == "label is missing, put before the read"
    assert judge.label_state(present=True, before=DELETED, after=DELETED) == "label is there, taken before the read"
    assert judge.label_state(present=False, before=CREATED, after=BEING_DELETED) is None
