"""`bin/run`: starts the embedded services, migrates, loads the demo once, runs the Procfile, stops everything on Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg

from cli.clone import ROOT, AlreadyRunning, environment
from cli.local import leftovers, processes
from cli.local.embedded import EmbeddedServiceFailed, Postgres
from cli.local.first_start import prepare_database
from cli.local.output import Output
from cli.local.plan import Plan, make_plan
from cli.local.procfile import BadProcfile, read_procfile
from cli.local.ready import announcement, wait_until_ready
from cli.local.state import Local
from cli.local.supervise import Service, StartFailed, Supervisor
from shared.errors import ConfigError
from shared.keys import Keys
from shared.redis_client import connect
from shared.store import SnapshotReader
from shared.undisturbed import forget_foreign

# The order of stopping: what accepts work, what creates it, what does it, and last the services they all use.
_STAGES = {"web": 0, "beat": 1, "changes": 1}
_WORKERS, _REDIS, _DATABASE = 2, 3, 4
_REDIS_TIMEOUT_S = 1.0


class Stopped(BaseException):
    """A signal told us to stop before the supervisor took over; not an Exception, so that nothing swallows it."""


def main() -> int:
    """Run until told to stop; the exit code."""
    forget_foreign()
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, _stopped)
    local = Local()
    try:
        local.make()
        with local.locked():
            run(local)
    except Stopped:
        return 0
    except AlreadyRunning:
        where = local.running().get("PORT")
        return _refuse(f"Daybook already runs from this clone{f' on port {where}' if where else ''}. Stop it first.")
    except ConfigError as error:
        return _refuse("these settings are missing or malformed:", *error.problems, code=2)
    except (EmbeddedServiceFailed, BadProcfile, StartFailed, PortTaken) as error:
        return _refuse(str(error))
    except psycopg.OperationalError as error:
        return _refuse(f"PostgreSQL does not answer: {str(error).splitlines()[0]}")
    except OSError as error:
        return _refuse(f"{error.strerror}: {error.filename}" if error.filename else str(error))
    return 0


def run(local: Local) -> None:
    """Everything, in order; returns when told to stop."""
    began = time.monotonic()
    if stopped := leftovers.stop_leftovers(local.pids):
        print(f"Stopped what an earlier run left behind: {', '.join(stopped)}.", flush=True)
    plan = make_plan(environment(), local)
    commands = read_procfile(ROOT / "Procfile")
    check_port(plan.settings.host, plan.settings.port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(leftovers.watchdog(local.pids))
        local.clear_metrics()
        for service in plan.embedded:
            stack.callback(service.stop)
        start_embedded(plan, local)
        prepared = prepare_database(plan)
        services = [*_embedded(plan), *_processes(commands, plan.variables)]
        output = Output([*commands])
        supervisor = Supervisor(services, output, local.pids)
        stack.callback(local.withdraw)
        local.publish(_published(plan))
        print(f"Starting {', '.join(commands)} …", flush=True)

        def announce() -> None:
            show = bool(plan.embedded)
            settings = replace(plan.settings, database_url=plan.owner_url)
            output.say(announcement(settings, prepared.tenants, show_secrets=show, took_s=time.monotonic() - began))

        client = connect(plan.settings.redis_url, timeout_s=_REDIS_TIMEOUT_S)
        reader = SnapshotReader(client, Keys(plan.settings.key_prefix))
        ids = [tenant.tenant_id for tenant in prepared.tenants] if prepared.fresh else []
        supervisor.run(wait_until_ready(plan.settings, services, reader, ids, announce))


class PortTaken(Exception):
    """Something listens where the web process should; stop it, or choose another PORT."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken unless the web process can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {host} port {port} ({error.strerror}). Another one: PORT=8001 bin/run"
            ) from error


def start_embedded(plan: Plan, local: Local) -> None:
    """Start the embedded services side by side and wait for each; on record at once, should we be killed."""
    for service in plan.embedded:
        service.prepare()
        service.spawn()
        if service.process is not None:
            leftovers.record(local.pids, service.name, service.process.pid)
    for service in plan.embedded:
        service.wait()


def _embedded(plan: Plan) -> Iterator[Service]:
    for service in plan.embedded:
        yield Service(
            name=service.name,
            launch=service.spawn,
            stage=_DATABASE if isinstance(service, Postgres) else _REDIS,
            stop_signal=service.stop_signal,
            process=service.process,
        )


def _processes(commands: dict[str, str], variables: dict[str, str]) -> Iterator[Service]:
    for name, command in commands.items():
        # The web process is never told where the database is.
        own = {key: value for key, value in variables.items() if name != "web" or key != "DATABASE_URL"}

        def launch(command: str = command, own: dict[str, str] = own) -> subprocess.Popen[bytes]:
            return processes.spawn(
                ["/bin/sh", "-c", f"exec {command}"],
                stop_signal=signal.SIGTERM,
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env=own,
            )

        yield Service(name=name, launch=launch, stage=_STAGES.get(name, _WORKERS))


# What bin/dash needs in order to reach what runs and to sign tokens that it accepts.
_PUBLISHED = (
    "DATABASE_URL",
    "REDIS_URL",
    "JWT_SECRET_KEY",
    "JWT_ISSUER",
    "JWT_AUDIENCE",
    "JWT_TENANT_CLAIM",
    "DASHBOARD_KEY_PREFIX",
    "DASHBOARD_DEMO",
)


def _published(plan: Plan) -> dict[str, str]:
    found = {name: plan.variables[name] for name in _PUBLISHED if name in plan.variables}
    # Commands are the operator's: bin/dash migrates and loads the demo, which no worker may.
    return {**found, "DATABASE_URL": plan.owner_url, "HOST": plan.settings.host, "PORT": str(plan.settings.port)}


def _stopped(_signal: int, _frame: object) -> None:
    raise Stopped


def _refuse(*lines: str, code: int = 1) -> int:
    print("\n  ".join([f"bin/run: {lines[0]}", *lines[1:]]), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
