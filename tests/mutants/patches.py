"""What switches a rule off. Each replaces one thing, and fails loudly if that thing is not there any more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, cast
from unittest import mock

from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from cache_consistency.capture import driver, equality, hooks, identity, returning, sink, sqltext, state, tagging
from cache_consistency.capture.hooks import brackets, connection, raw
from cache_consistency.capture.writes import Verb, Window
from cache_consistency.exceptions import StoreError
from cache_consistency.invalidation import service
from cache_consistency.protocol import entries, steps, wishes
from cache_consistency.protocol.questions import Loaded, Payload, Question
from cache_consistency.protocol.tags import Tag
from cache_consistency.protocol.versions import STATE_LENGTH, Taken
from cache_consistency.protocol.wishes import Steps
from cache_consistency.reading import answers, lookups, managers, queries, querysets, recovering, shell
from cache_consistency.stores import scripts, trip
from cache_consistency.stores.redis import RedisStore


def replace(owner: Any, name: str, value: Any) -> None:
    """Replace an attribute that exists, for as long as this process lives."""
    mock.patch.object(owner, name, value).start()


def everywhere(name: str, value: Any, *modules: Any) -> None:
    """Replace a name in each module that has imported it."""
    for module in modules:
        replace(module, name, value)


def edit_script(name: str, old: str, new: str) -> None:
    """Change the text of a Lua script."""
    lua = scripts.script(name)
    assert lua.source.count(old) == 1, f"{name}.lua has {lua.source.count(old)} times {old!r}"
    lua.source = lua.source.replace(old, new)
    lua.sha = hashlib.sha1(lua.source.encode(), usedforsecurity=False).hexdigest()


# -- writers ------------------------------------------------------------------------------------------------------------------------------


def one_token_a_tag() -> None:
    edit_script("mark", "written[i] = 'p' .. base .. ';' .. all .. own", "written[i] = 'p' .. base .. ';' .. own")


def resolve_opens_for_everybody() -> None:
    edit_script("resolve", "if token == ARGV[1] then mine = true else rest = rest .. token .. ',' .. d .. ';' end", "mine = true")


def no_mark() -> None:
    """Invalidate after COMMIT only."""
    def write(tags: tuple[Tag, ...], *, mark_ttl: float) -> Steps[None]:
        token = cast("str", (yield wishes.NewToken()))
        yield wishes.Commit()
        yield wishes.Resolve(tags, token)
    replace(service, "write", write)


def versions_stand_after_an_error_of_commit() -> None:
    """Take the mark off and leave the versions, as if an error of COMMIT meant that nothing was committed."""
    keep = [False]

    def write(tags: tuple[Tag, ...], *, mark_ttl: float) -> Steps[None]:
        token = cast("str", (yield wishes.NewToken()))
        yield wishes.Mark(tags, token)
        try:
            yield wishes.Commit()
        except Exception:
            keep[0] = True
            yield wishes.Resolve(tags, token)
            raise
        yield wishes.Resolve(tags, token)

    def resolve(self: Any, tags: Sequence[str], token: str) -> int:
        kept = str(len(tags)) if keep[0] else "0"
        keep[0] = False
        found: int = self._run(scripts.script("resolve"), tags, lambda again: (token, "R" * 24, self._clean_ttl, kept))
        return found
    replace(service, "write", write)
    replace(RedisStore, "resolve", resolve)


def a_late_mark_is_not_sent_again() -> None:
    service._ANSWERS[wishes.MarkAge] = lambda self, wish: 0.0


def lost_marks_are_not_noticed() -> None:
    service._ANSWERS[wishes.LostMarks] = lambda self, wish: None


def an_unanswered_resolve_is_forgotten() -> None:
    service._ANSWERS[wishes.Owe] = lambda self, wish: None


def debts_are_read_from_the_cache() -> None:
    replace(state, "withhold", lambda tables: None)


def deadlines_are_renewed_by_others() -> None:
    edit_script("mark", "local text = token .. ',' .. d .. ';'", "local text = token .. ',' .. string.format('%.0f', deadline) .. ';'")


def resolve_has_the_version_of_its_caller() -> None:
    edit_script("resolve", "ARGV[2] .. '-' .. t[1] .. string.format('%06d', t[2])", "ARGV[2] .. '-' .. '0000000000000000'")


# -- transactions -------------------------------------------------------------------------------------------------------------------------


def bare_statements_in_autocommit() -> None:
    """Let the statement commit by itself, and mark and resolve when it is done."""
    def run(cursor: Any, execute: Any, sql: Any, params: Any, *, after: Any, before: Any = None, many: bool = False) -> Any:
        if before is not None:
            before()
        result, tags = after(execute(cursor, sql, params))
        sink.commit(cursor.db, frozenset(tags), lambda: None, rollback=lambda: None)
        return result
    replace(brackets, "run", run)


def commits_in_sql_are_not_seen() -> None:
    def control(connection: Any, act: Callable[[], Any], statement: Any, tables: Any, current: Any) -> Any:
        result = act()
        current.end()
        return result
    replace(raw, "_control", control)


def switching_autocommit_on_is_not_seen() -> None:
    replace(connection, "_commits_when_switched_on", lambda wrapper: False)


def raw_sql_is_not_read() -> None:
    replace(raw, "execute", lambda cursor, original, sql, params, current, many=False: original(cursor, sql, params))


def a_transaction_is_not_dirty() -> None:
    def add(self: Any, tags: Any, tables: Any) -> None:
        self.tags.update(tags)
    replace(state.State, "add", add)


def a_task_is_not_dirty() -> None:
    def add(self: Any, tags: Any, tables: Any) -> None:
        self.tags.update(tags)
        self.tables.update(tables)
    replace(state.State, "add", add)


def a_savepoint_rollback_makes_clean() -> None:
    original = BaseDatabaseWrapper.savepoint_rollback

    def savepoint_rollback(self: Any, sid: str) -> None:
        original(self, sid)
        if self._cc is not None:
            self._cc.end()
    replace(BaseDatabaseWrapper, "savepoint_rollback", savepoint_rollback)


def isolation_is_not_looked_at() -> None:
    replace(state, "_reads_what_is_committed", lambda connection: True)


def half_read_cursors_are_not_looked_at() -> None:
    replace(driver, "half_read", lambda connection, state: False)


def old_values_are_read_without_the_lock() -> None:
    original = returning.with_old_values
    replace(returning, "with_old_values", lambda *args: original(*args).replace(" FOR NO KEY UPDATE", ""))


def old_values_are_not_read() -> None:
    """Name a row's lookups as they are now only."""
    original = Window._precise

    def precise(self: Any, rows: Sequence[Any]) -> Any:
        now = len(rows) // 2 if self.extra > self.plan.width else len(rows) - len(self.old)
        return original(self, rows[:now] if self.extra <= self.plan.width else rows[::2])
    replace(Window, "_precise", precise)


def locked_reads_are_served() -> None:
    def is_cacheable(query: Any) -> bool:
        return getattr(query, "cc_cached", False) and query.explain_info is None and not query.is_empty()
    everywhere("is_cacheable", is_cacheable, queries, querysets)
    replace(sqltext, "_WRITES", frozenset())                        # the text of FOR UPDATE gives it away as well


# -- readers ------------------------------------------------------------------------------------------------------------------------------


def versions_are_taken_after_the_query() -> None:
    def fill(questions: Sequence[Question], wanted: tuple[int, ...], *, ttl: float) -> Steps[Loaded]:
        tags = steps._union([questions[index] for index in wanted])
        loaded = cast("Loaded", (yield wishes.Load(wanted)))
        try:
            taken = cast("Taken", (yield wishes.Take(tags)))
        except StoreError:
            return loaded
        if taken.storable and (yield wishes.MayStore()):
            stands = dict(zip(tags, taken.states, strict=True))
            yield wishes.Put(steps._entries([questions[index] for index in wanted], loaded, taken.epoch, stands), ttl)
        return loaded
    replace(steps, "fill", fill)


def entries_stand_under_whatever_version() -> None:
    """Serve an entry whatever has been written since."""
    def validate(raw: Any, states: Any, epoch: Any, canonical: bytes, *, short: int | None = None) -> Any:
        if raw is None:
            return entries.Miss.ABSENT
        place = raw.find(canonical)
        return raw[place + len(canonical):] if place >= 0 else entries.Miss.FOREIGN
    replace(entries, "validate", validate)


def entries_stand_in_whatever_epoch() -> None:
    original = entries.validate

    def validate(raw: Any, states: Any, epoch: Any, canonical: bytes, *, short: int | None = None) -> Any:
        own = raw[3:27] if raw is not None else epoch
        return original(raw, states, own, canonical, short=short)
    replace(entries, "validate", validate)


def the_question_is_not_compared() -> None:
    original = entries.validate

    def validate(raw: Any, states: Any, epoch: Any, canonical: bytes, *, short: int | None = None) -> Any:
        if raw is not None and len(raw) > entries._FIXED:
            count, length = entries._SIZES.unpack_from(raw, entries._COUNT.start)
            begin = entries._FIXED + count * STATE_LENGTH
            canonical = raw[begin:begin + length]
        return original(raw, states, epoch, canonical, short=short)
    replace(entries, "validate", validate)


def pending_tags_are_served() -> None:
    """Read a pending tag as if the version that stood before were its state."""
    original = RedisStore.get

    def get(self: Any, keys: Sequence[str]) -> list[bytes | None]:
        return [b"c" + value[1:42] if value is not None and value[:1] == b"p" and value[42:43] == b";" else value
                for value in original(self, keys)]
    replace(RedisStore, "get", get)


def missing_rows_stand_alone() -> None:
    """Store "there is no such row" without the tag of inserts whose pk nobody knew; and have the insert not know it."""
    original = Window._precise

    def precise(self: Any, rows: Sequence[Any]) -> Any:
        tags = original(self, rows)
        return {tag for tag in tags if ":row:" not in tag} if self.verb is Verb.INSERT else tags
    replace(Window, "_precise", precise)
    everywhere("Payload", lambda data, missing=False: Payload(data), lookups, answers)


def what_is_read_before_commit_is_stored() -> None:
    shell._ANSWERS[wishes.MayStore] = lambda self, wish: True


def fills_ask_replicas() -> None:
    class Reads:
        def __getattr__(self, name: str) -> Any:
            return router.db_for_read if name == "db_for_write" else getattr(router, name)
    everywhere("router", Reads(), managers, querysets)


def damage_is_not_caught() -> None:
    class Never(Exception):
        """Nobody raises it."""
    everywhere("CorruptEntry", Never, lookups, answers)


# -- the store's memory -------------------------------------------------------------------------------------------------------------------


def generations_are_not_compared() -> None:
    edit_script("ensure_epoch", "if not id or #id ~= 24 or compare then", "if not id or #id ~= 24 then")


def no_quarantine() -> None:
    original = RedisStore.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **{**kwargs, "quarantine": 0.0})
    replace(RedisStore, "__init__", init)


def no_trip_switch() -> None:
    replace(trip.TripSwitch, "failed", lambda self, probe: False)


# -- recovery -----------------------------------------------------------------------------------------------------------------------------


def nobody_asks_whether_a_writer_is_over() -> None:
    everywhere("notice", lambda *args: None, recovering, shell)


def recovery_asks_for_xmax() -> None:
    original = recovering._RecoverShell._number
    replace(recovering._RecoverShell, "_number", lambda self, sql: original(self, sql.replace("pg_snapshot_xmin", "pg_snapshot_xmax")))


def recovery_asks_nobody() -> None:
    """Resolve a token that has stood for long, whatever its writer does."""
    replace(recovering._RecoverShell, "_number", lambda self, sql: 1 if "current_xact_id" in sql else 2)


# -- what makes two questions different ---------------------------------------------------------------------------------------------------


def collations_are_not_looked_at() -> None:
    replace(equality, "_text_is_exact", lambda connection, field: True)


def time_zones_are_not_looked_at() -> None:
    """Describe a query without any name of a time zone, wherever the name stands."""
    original = answers.describe_sql

    def describe_sql(kind: str, connection: Any, sql: str, params: Any) -> str:
        text = original(kind, connection, sql, params)
        return text.replace(timezone.get_current_timezone_name(), "zone").replace(connection.timezone_name, "zone")
    everywhere("describe_sql", describe_sql, answers, queries, querysets)


def all_databases_are_one() -> None:
    everywhere("database_identity", lambda connection: "0" * 16, identity, tagging)


def all_tenants_are_one() -> None:
    everywhere("vary", lambda connection: "", identity, tagging)


def no_hooks() -> None:
    """Replace nothing of Django: no write is seen."""
    replace(hooks, "_plan", lambda: iter([(BaseDatabaseWrapper, "_cc", lambda before: None)]))
