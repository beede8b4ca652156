"""bin/run in a clone of its own: one command to a live page, data kept, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
import requests

from cli.clone import ROOT
from cli.local.embedded import free_port
from tests.patience import PATIENCE
from tests.servers import eventually

READY_WITHIN_S = 30.0
# Each of these stopped bin/run once, or led it to somebody else's services.
OF_OTHER_PROJECTS = {
    "PGSSLMODE": "require", "PGCLIENTENCODING": "LATIN1", "PGSERVICE": "other", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "BROKER_URL": "redis://127.0.0.1:1/0", "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/1", "CELERY_WORKER_POOL": "solo",
    "CELERY_BEAT_SCHEDULER": "other.Scheduler", "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:1 --workers=9",
    "FORWARDED_ALLOW_IPS": "*", "DJANGO_SETTINGS_MODULE": "other.settings", "FLASK_APP": "other", "FLASK_DEBUG": "1",
    "PROMETHEUS_MULTIPROC_DIR": "/nonexistent", "PYTHONWARNINGS": "error", "PYTHONHOME": "/nonexistent",
    "REDIS_HOST": "other", "SCRIPT_NAME": "/other",
}  # fmt: skip


@dataclass
class Clone:
    """A copy of the project, and the bin/run started in it."""

    root: Path
    port: int
    printed: Path
    process: subprocess.Popen[bytes] | None = None
    seen: set[psutil.Process] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)

    def environment(self, **variables: str) -> dict[str, str]:
        """Nothing but a PATH, and no HOME: what bin/run needs it must bring. The requirements are here already."""
        return {"PATH": os.environ["PATH"], "DAYBOOK_VENV": sys.prefix, "PORT": str(self.port), **variables}

    def command(self, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of the three commands to its end, from a directory elsewhere."""
        return subprocess.run(
            [str(self.root / "bin" / name), *arguments],
            cwd="/", env=self.environment(**variables), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def start(self, **variables: str) -> None:
        with self.printed.open("wb") as target:
            self.process = subprocess.Popen(
                [str(self.root / "bin" / "run")],
                cwd="/", env=self.environment(**variables), stdout=target, stderr=subprocess.STDOUT,
            )  # fmt: skip
        eventually(lambda: "Daybook is ready" in self.text or not self.alive, within_s=READY_WITHIN_S)
        assert self.alive, self.text
        self.look()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def text(self) -> str:
        return self.printed.read_text()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        found = re.search(r"Demo token +(\S+)", self.text)
        assert found, self.text
        return found[1]

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    def running(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.root / ".local" / "run.json").read_text())
        return found

    def pid(self, name: str) -> int:
        return int((self.root / ".local" / "pids" / name).read_text().split()[1])

    def look(self) -> None:
        """Remember every process below bin/run: when it is gone, its orphans are nobody's children."""
        if self.process is not None and self.alive:
            self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))

    def left(self) -> list[psutil.Process]:
        return [one for one in self.seen if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.look()
        self.process.send_signal(how)
        return self.process.wait(40 * PATIENCE)

    def version(self, tenant_id: str = "demo") -> str:
        """What a tenant is served, asked for with the token that was made when it was first asked for."""
        if tenant_id not in self.tokens:
            self.tokens[tenant_id] = self.command("dash", "token", tenant_id).stdout.strip()
        answer = requests.get(
            f"{self.url}/api/dashboard/realtime/aggregate/",
            headers={"Authorization": f"Bearer {self.tokens[tenant_id]}"},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        version: str = answer.json()["version"]
        return version


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    root = tmp_path / "clone"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    found = Clone(root, free_port(), tmp_path / "printed")
    yield found
    if found.alive and found.process is not None:
        found.look()
        found.process.kill()
        found.process.wait()
    for process in found.left():
        process.kill()


# As a reader types it, but what is refused fails the test, and a stream ends by itself (curl's exit 28).
READER = """set -euo pipefail
curl() { command curl --fail-with-body -sS --max-time 5 "$@" || [ $? = 28 ]; }
"""


def examples_of_the_readme(port: int) -> list[str]:
    """The commands that the README gives to someone who has Daybook running."""
    section = (ROOT / "README.md").read_text().split("## Ask it", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    assert len(found) == 2
    return [block.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for block in found]


def is_free(address: str) -> bool:
    host, _, port = address.rpartition("@")[2].partition("/")[0].partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.timeout(300)
def test_one_command_to_a_live_page_and_a_second_one_that_keeps_its_data(clone: Clone) -> None:
    clone.start()
    assert requests.get(f"{clone.url}/readyz", timeout=5).status_code == 200
    snapshot = requests.get(
        f"{clone.url}/api/dashboard/realtime/aggregate/",
        headers={"Authorization": f"Bearer {clone.token}"},
        timeout=10,
    ).json()
    assert snapshot["user_id"] == "demo"
    assert len(snapshot["metrics"]) == 8
    assert clone.command("dash", "doctor").returncode == 0

    # A row that the host product commits reaches Redis by itself.
    first = clone.version()
    with psycopg.connect(clone.running()["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, currency, total)"
            " VALUES ('demo', 'kept', 'posted', current_date, 'USD', 1234)"
        )
    eventually(lambda: clone.version() != first)

    for block in examples_of_the_readme(clone.port):
        done = subprocess.run(
            ["bash", "-c", READER + block],
            cwd=clone.root, env=clone.environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), block

    services = [clone.running()["DATABASE_URL"], clone.running()["REDIS_URL"]]
    assert clone.stop(signal.SIGINT) == 0
    assert clone.left() == []
    assert all(map(is_free, services))
    assert is_free(f"127.0.0.1:{clone.port}/")
    assert not (clone.root / ".local" / "run.json").exists()

    clone.start(**OF_OTHER_PROJECTS)
    assert "Loading demo" not in clone.text
    with psycopg.connect(clone.running()["DATABASE_URL"]) as connection:
        kept = connection.execute("SELECT total FROM dashboard.invoice WHERE invoice_id = 'kept'").fetchone()
    assert kept is not None
    assert kept[0] == 1234
    running = clone.command("dash", "config", "--running", **OF_OTHER_PROJECTS).stdout.splitlines()
    names = {line.split()[1] for line in running if line.startswith("# ")}
    assert names == {"web", "worker", "sweeper", "beat", "changes"}
    # Tokens of the first run still hold: the secret is the clone's, not the run's.
    assert clone.version()
    assert clone.stop(signal.SIGTERM) == 0
    assert clone.left() == []


@pytest.mark.timeout(300)
def test_whatever_dies_is_started_again(clone: Clone) -> None:
    clone.start()
    before = clone.version()
    names = ("web", "worker", "beat", "changes", "valkey", "postgres")
    pids = {name: clone.pid(name) for name in names}
    for name in names:
        clone.look()
        os.kill(pids[name], signal.SIGKILL)
    for name in names:
        eventually(lambda name=name: clone.pid(name) != pids[name], within_s=20)  # type: ignore[misc]
    eventually(clone.is_ready, within_s=40)
    eventually(lambda: clone.command("dash", "doctor").returncode == 0, within_s=40)
    done = clone.command("dash", "recalculate", "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    epoch, revision = before.split("-")
    now_epoch, now_revision = clone.version().split("-")
    assert (now_epoch, int(now_revision)) >= (epoch, int(revision))
    assert clone.stop() == 0
    assert clone.left() == []


@pytest.mark.timeout(300)
def test_a_killed_run_leaves_nothing_and_the_next_one_starts(clone: Clone) -> None:
    clone.start(DASHBOARD_DEMO="0")
    second = clone.command("run")
    assert second.returncode == 1
    assert second.stderr == f"bin/run: Daybook already runs from this clone on port {clone.port}. Stop it first.\n"

    assert clone.process is not None
    clone.look()
    clone.process.kill()
    clone.process.wait()
    eventually(lambda: clone.left() == [], within_s=30)
    clone.start(DASHBOARD_DEMO="0")
    assert clone.stop() == 0
    assert clone.left() == []


def test_a_taken_port_is_said_so_before_anything_starts(clone: Clone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", clone.port))
        taken.listen()
        done = clone.command("run")
    assert done.returncode == 1
    assert f"port {clone.port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone.root / ".local" / "postgres").exists()


def test_addresses_without_a_key_stop_the_start_naming_all_and_showing_none(clone: Clone) -> None:
    addresses = {"DATABASE_URL": "mysql://me:hunter2@127.0.0.1/x", "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}
    done = clone.command("run", **addresses, LOG_LEVEL="hunter2")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("DATABASE_URL", "JWT_SECRET_KEY", "LOG_LEVEL"))
    assert "hunter2" not in done.stdout + done.stderr


def test_settings_may_stand_in_a_file(clone: Clone) -> None:
    (clone.root / ".env").write_text("PORT=hunter2\nDASHBOARD_CACHE_TIMEOUT=soon\n")
    done = clone.command("run")
    assert done.returncode == 2
    # The environment, which names a good port, wins over the file.
    assert "DASHBOARD_CACHE_TIMEOUT" in done.stderr
    assert "PORT" not in done.stderr


def test_a_service_of_ones_own_is_used_and_never_stopped(clone: Clone, valkey: redis.Redis, database_url: str) -> None:
    port = valkey.connection_pool.connection_kwargs["port"]
    clone.start(
        DATABASE_URL=database_url,
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        JWT_SECRET_KEY="k" * 32,
        DASHBOARD_KEY_PREFIX=f"e2e{clone.port}",
    )
    assert "Demo token" not in clone.text
    assert sorted(path.name for path in (clone.root / ".local" / "pids").iterdir()) == [
        "beat", "changes", "sweeper", "web", "worker",
    ]  # fmt: skip
    assert clone.stop() == 0
    assert valkey.ping()
