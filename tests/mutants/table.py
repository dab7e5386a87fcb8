"""The table: rule of the protocol, what switches it off, which tests must fail then."""

from __future__ import annotations

import dataclasses

FILLS, WRITERS, TRANSACTIONS = "tests/races/test_fills.py::", "tests/races/test_writers.py::", "tests/races/test_transactions.py::"
MEMORY, OUTAGES, KILLED = "tests/races/test_lost_memory.py::", "tests/races/test_outages.py::", "tests/races/test_killed_writers.py::"
EQUALITY = "tests/races/test_equality.py::"


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One rule, switched off."""

    rule: str
    """Number of the hole in section 6 of the protocol's specification, or the section that states the rule."""
    name: str
    """What switches it off: a function in `patches`."""
    tests: tuple[str, ...]
    """Tests (without parameters) each of which must fail in at least one of its cases."""

def _mutant(rule: str, name: str, *tests: str) -> Mutant:
    return Mutant(rule, name, tests)


_ALL = (
    _mutant("1", "one_token_a_tag", WRITERS + "test_the_second_of_two_writers_does_not_open_a_tag_for_the_first"),
    _mutant("1", "resolve_opens_for_everybody",
            WRITERS + "test_the_first_of_two_writers_does_not_open_a_tag_for_the_second",
            WRITERS + "test_a_resolve_that_comes_late_does_not_open_a_tag_for_another_writer"),
    _mutant("2", "versions_stand_after_an_error_of_commit",
            WRITERS + "test_a_commit_whose_acknowledgement_is_lost_is_invalidated_like_any_other"),
    _mutant("3", "isolation_is_not_looked_at",
            TRANSACTIONS + "test_a_transaction_that_sees_an_old_snapshot_is_neither_served_nor_stores",
            TRANSACTIONS + "test_a_deferred_transaction_of_sqlite_is_neither_served_nor_stores"),
    _mutant("3", "half_read_cursors_are_not_looked_at",
            TRANSACTIONS + "test_what_is_read_beside_a_cursor_that_is_half_read_is_not_stored"),
    _mutant("4", "a_late_mark_is_not_sent_again", WRITERS + "test_a_mark_that_took_long_is_sent_again_before_commit"),
    _mutant("5", "lost_marks_are_not_noticed", MEMORY + "test_marks_that_somebody_deletes_are_noticed"),
    _mutant("7", "generations_are_not_compared", MEMORY + "test_an_entry_from_before_the_loss_is_not_served_after_it"),
    _mutant("7", "entries_stand_in_whatever_epoch", MEMORY + "test_an_entry_from_before_the_loss_is_not_served_after_it"),
    _mutant("7", "no_quarantine", MEMORY + "test_a_mark_that_was_lost_before_commit_lets_nobody_store_the_past"),
    _mutant("8", "fills_ask_replicas", FILLS + "test_a_fill_asks_the_primary_whatever_the_router_says_of_reads"),
    _mutant("9", "a_transaction_is_not_dirty",
            TRANSACTIONS + "test_a_transaction_reads_its_own_writes_and_nobody_else_does",
            TRANSACTIONS + "test_what_is_read_before_commit_is_not_stored"),
    _mutant("9", "a_task_is_not_dirty",
            TRANSACTIONS + "test_a_coroutine_inside_a_transaction_is_not_served_what_the_transaction_has_changed"),
    _mutant("9", "a_savepoint_rollback_makes_clean",
            TRANSACTIONS + "test_a_savepoint_that_is_rolled_back_leaves_the_transaction_dirty"),
    _mutant("9", "what_is_read_before_commit_is_stored",
            TRANSACTIONS + "test_what_is_read_beside_a_cursor_that_is_half_read_is_not_stored"),
    _mutant("10", "bare_statements_in_autocommit",
            TRANSACTIONS + "test_a_statement_in_autocommit_is_marked_before_it_commits_and_resolved_before_it_returns"),
    _mutant("10", "commits_in_sql_are_not_seen", TRANSACTIONS + "test_a_commit_in_somebodys_sql_is_bracketed"),
    _mutant("10", "switching_autocommit_on_is_not_seen",
            TRANSACTIONS + "test_switching_autocommit_on_commits_on_sqlite_and_is_bracketed"),
    _mutant("10", "raw_sql_is_not_read",
            TRANSACTIONS + "test_a_statement_in_autocommit_is_marked_before_it_commits_and_resolved_before_it_returns"),
    _mutant("11", "old_values_are_read_without_the_lock",
            WRITERS + "test_a_writer_that_waited_for_another_invalidates_what_that_one_left"),
    _mutant("11", "old_values_are_not_read", WRITERS + "test_a_row_leaves_the_list_it_was_in_though_the_instance_never_knew"),
    _mutant("READ", "locked_reads_are_served", TRANSACTIONS + "test_what_must_come_from_the_database_does"),
    _mutant("16", "an_unanswered_resolve_is_forgotten",
            WRITERS + "test_a_resolve_without_an_answer_keeps_readers_off_and_is_paid_later",
            OUTAGES + "test_a_write_without_a_store_commits_and_is_invalidated_when_the_store_is_back"),
    _mutant("15", "debts_are_read_from_the_cache", OUTAGES + "test_what_this_process_owes_the_store_it_does_not_read_from_the_cache"),
    _mutant("16", "no_trip_switch", OUTAGES + "test_a_store_that_hangs_costs_one_timeout_and_the_database_answers"),
    _mutant("17", "deadlines_are_renewed_by_others",
            WRITERS + "test_a_dead_token_is_not_kept_alive_by_the_writers_that_follow"),
    _mutant("19", "no_mark", FILLS + "test_nobody_is_served_between_mark_and_resolve"),
    _mutant("20", "all_databases_are_one", EQUALITY + "test_two_databases_on_one_store_never_meet"),
    _mutant("20", "all_tenants_are_one", EQUALITY + "test_tenants_that_share_an_alias_never_meet"),
    _mutant("25", "versions_are_taken_after_the_query",
            FILLS + "test_versions_are_taken_before_the_row_is_read"),
    _mutant("25", "entries_stand_under_whatever_version",
            FILLS + "test_an_entry_stands_until_its_row_is_written",
            FILLS + "test_a_fill_that_a_whole_write_overtook_is_never_served"),
    _mutant("READ", "pending_tags_are_served",
            FILLS + "test_nobody_is_served_between_mark_and_resolve",
            FILLS + "test_a_list_by_a_lookup_is_not_served_between_commit_and_resolve"),
    _mutant("28", "the_question_is_not_compared", EQUALITY + "test_an_entry_that_answers_another_question_is_a_miss"),
    _mutant("28", "damage_is_not_caught", EQUALITY + "test_a_damaged_entry_is_a_miss_and_never_an_exception"),
    _mutant("29", "resolve_has_the_version_of_its_caller",
            WRITERS + "test_a_resolve_that_is_executed_twice_brings_no_old_version_back"),
    _mutant("30", "missing_rows_stand_alone",
            EQUALITY + "test_no_such_row_is_cached_and_freed_by_the_insert_whose_pk_nobody_knew"),
    _mutant("31", "time_zones_are_not_looked_at", EQUALITY + "test_a_day_is_another_one_in_another_time_zone"),
    _mutant("RECOVER", "nobody_asks_whether_a_writer_is_over",
            KILLED + "test_on_postgresql_a_reader_finds_out_that_the_writer_is_over"),
    _mutant("32", "recovery_asks_nobody", KILLED + "test_on_postgresql_a_writer_that_is_merely_slow_keeps_its_mark"),
    _mutant("32", "recovery_asks_for_xmax", KILLED + "test_on_postgresql_a_writer_that_is_merely_slow_keeps_its_mark"),
    _mutant("2 (tags)", "collations_are_not_looked_at",
            EQUALITY + "test_a_list_by_a_value_that_only_the_database_holds_equal_is_invalidated"),
    _mutant("WRITE", "no_hooks", FILLS + "test_an_entry_stands_until_its_row_is_written"),
)

MUTANTS = {mutant.name: mutant for mutant in _ALL}


def switch_off(name: str) -> None:
    """
    Switch one rule off in this process, where Django is set up.

    :raises KeyError: there is no such mutant.
    """
    from tests.mutants import patches
    getattr(patches, MUTANTS[name].name)()
