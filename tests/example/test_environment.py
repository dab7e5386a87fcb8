import json
import os
from pathlib import Path

import pytest

from example_project import environment


def test_sqlite_waits_for_its_turn_and_writes_ahead() -> None:
    found = environment.database("sqlite:////var/shop.sqlite3")
    assert (found["ENGINE"], found["NAME"]) == ("django.db.backends.sqlite3", "/var/shop.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]
    assert environment.database("sqlite://:memory:")["NAME"] == ":memory:"
    assert environment.database("sqlite:///shop.sqlite3")["NAME"] == "shop.sqlite3"


def test_postgres_is_taken_apart_with_what_was_quoted() -> None:
    found = environment.database("postgres://me:p%40ss@db.example:5433/shop?sslmode=require")
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"], found["PASSWORD"]) == ("db.example", "5433", "shop", "me", "p@ss")
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_an_unknown_database_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'oracle'"):
        environment.database("oracle://x")


def test_each_user_of_one_redis_gets_a_database_of_its_own() -> None:
    assert environment.redis_database("redis://h:6379", 1) == "redis://h:6379/1"
    assert environment.redis_database("redis://h:6379/4", 2) == "redis://h:6379/6"
    with pytest.raises(ValueError, match="number"):
        environment.redis_database("redis://h/name", 0)


class TestARunningDemonstration:
    def leave(self, place: Path, pid: int) -> Path:
        run_file = place / "demo.json"
        run_file.write_text(json.dumps({"pid": pid, "environment": {"REDIS_URL": "redis://demo", "CACHE": "naive"}}))
        return run_file

    def test_lends_its_servers_to_a_second_terminal(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CACHE", "off")
        monkeypatch.delenv("REDIS_URL", raising=False)
        found = environment.read(self.leave(tmp_path, os.getpid()))
        assert found["REDIS_URL"] == "redis://demo"
        assert found["CACHE"] == "off"  # what the environment says wins

    def test_that_crashed_lends_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REDIS_URL", raising=False)
        assert "REDIS_URL" not in environment.read(self.leave(tmp_path, 2**22 + 1))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1}'])
    def test_with_an_unreadable_file_lends_nothing(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "demo.json").write_text(text)
        assert environment._demonstration(tmp_path / "demo.json") == {}
