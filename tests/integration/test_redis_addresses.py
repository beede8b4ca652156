"""Every kind of Redis address, as every kind of process uses it: our own client, Celery's broker, Celery's results."""

from __future__ import annotations

import datetime
import signal
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import requests
from celery import Celery
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kombu.connection import Connection

from cli.local import processes
from cli.local.embedded import Valkey, free_port
from shared.broker import celery_options, celery_result_url, celery_url
from shared.keys import Keys
from shared.primary import Demoted
from shared.redis_client import connect
from shared.settings import Settings
from tests.proxy import Proxy
from tests.servers import WebServer, eventually

PASSWORD = "p@ss/w#r:d %+;,é"
QUOTED = quote(PASSWORD, safe="")


def server(directory: Path, stack: ExitStack, *options: str) -> Valkey:
    found = Valkey(
        data_dir=directory / f"v{uuid.uuid4().hex[:6]}", port=free_port(), options=options, append_only=False
    )
    found.prepare()
    found.spawn()
    stack.callback(found.stop)
    with redis.Redis(port=found.port) as client:
        eventually(lambda: _answers(client))
    return found


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True
    except redis.RedisError:
        return False


def with_password(directory: Path, stack: ExitStack) -> str:
    """A password of characters that mean something in an address."""
    found = server(directory, stack)
    with redis.Redis(port=found.port) as client:
        client.config_set("requirepass", PASSWORD)
    return f"redis://:{QUOTED}@127.0.0.1:{found.port}/1"


def by_name(directory: Path, stack: ExitStack) -> str:
    """A user of the access control list."""
    found = server(directory, stack)
    with redis.Redis(port=found.port) as client:
        client.execute_command("ACL", "SETUSER", "day/book", "on", f">{PASSWORD}", "~*", "&*", "+@all")
        client.config_set("requirepass", "other")
    return f"redis://{quote('day/book', safe='')}:{QUOTED}@127.0.0.1:{found.port}/0"


def through_a_socket(directory: Path, stack: ExitStack) -> str:
    """A Unix socket, with a password and a database."""
    path = f"{directory}/redis.sock"
    found = server(directory, stack, "--unixsocket", path)
    with redis.Redis(port=found.port) as client:
        client.config_set("requirepass", PASSWORD)
    return f"unix://:{QUOTED}@{path}?db=2"


def through_tls(directory: Path, stack: ExitStack) -> str:
    """TLS ends in a small proxy: the server of the tests has none."""
    found = server(directory, stack)
    certificate = self_signed(directory)
    port = stack.enter_context(TlsProxy(found.port, certificate))
    return f"rediss://localhost:{port}/0?ssl_ca_certs={quote(str(certificate), safe='/')}"


def through_sentinels(directory: Path, stack: ExitStack) -> str:
    """Sentinels that ask for the master's password."""
    return f"sentinel://:{QUOTED}@{sentinels(directory, stack, PASSWORD)}/1?master=mine"


def through_open_sentinels(directory: Path, stack: ExitStack) -> str:
    """Sentinels without a password of their own."""
    return f"sentinel://:{QUOTED}@{sentinels(directory, stack, None)}/0?master=mine"


def through_guarded_sentinels(directory: Path, stack: ExitStack) -> str:
    """Sentinels with another password."""
    other = quote("other/&=", safe="")
    return f"sentinel://:{QUOTED}@{sentinels(directory, stack, 'other/&=')}/0?master=mine&sentinel_password={other}"


def sentinels(directory: Path, stack: ExitStack, password: str | None) -> str:
    """Two sentinels of a master with the password; their hosts and ports."""
    master = server(directory, stack)
    with redis.Redis(port=master.port) as client:
        client.config_set("requirepass", PASSWORD)
    hosts = []
    for port in (free_port(), free_port()):
        config = directory / f"sentinel-{port}.conf"
        lines = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor mine 127.0.0.1 {master.port} 1"]
        lines += [f'sentinel auth-pass mine "{PASSWORD}"', *([f'requirepass "{password}"'] if password else [])]
        config.write_text("\n".join(lines) + "\n")
        argv = [str(master.binary), str(config), "--sentinel"]
        with (directory / f"sentinel-{port}.log").open("wb") as log:
            process = processes.spawn(argv, stop_signal=signal.SIGKILL, stdout=log, cwd="/")
        stack.callback(processes.end, process)
        with redis.Redis(port=port) as client:
            eventually(lambda client=client: _answers(client))  # type: ignore[misc]
        hosts.append(f"127.0.0.1:{port}")
    return ",".join(hosts)


def self_signed(directory: Path) -> Path:
    """Certificate and key of localhost in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "localhost.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class TlsProxy:
    """Ends TLS before `target`; enters as its port."""

    def __init__(self, target: int, certificate: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._accept, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            suppress(OSError),
            self._context.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self._target)) as behind,
        ):
            client.settimeout(0.02)
            behind.settimeout(0.02)
            while True:
                for one, other in ((client, behind), (behind, client)):
                    with suppress(TimeoutError):
                        if not (data := one.recv(65_536)):
                            return
                        other.sendall(data)


Given = Callable[[Path, ExitStack], str]
KINDS: list[Given] = [
    with_password,
    by_name,
    through_a_socket,
    through_tls,
    through_sentinels,
    through_open_sentinels,
    through_guarded_sentinels,
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    given: Given = request.param
    with ExitStack() as stack:
        url = given(tmp_path_factory.mktemp("r"), stack)
        yield Settings.from_env({"REDIS_URL": url}, role="broker")


# Celery's own way to write results.
@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_every_process_understands_the_address_alike(settings: Settings) -> None:
    with connect(settings.redis_url, timeout_s=5.0) as client:
        assert client.set("own", "1")
        broker: Any = Connection(celery_url(settings), transport_options=celery_options(settings))  # type: ignore[no-untyped-call]
        with broker:
            queue = broker.SimpleQueue("sent")
            queue.put({"task": 1})
            assert queue.get(timeout=10).payload == {"task": 1}
            queue.close()
        app = Celery("addresses", set_as_current=False)
        app.conf.result_backend = celery_result_url(settings)
        app.conf.result_backend_transport_options = celery_options(settings)
        app.conf.redis_socket_keepalive = True
        app.backend.store_result("id", {"answer": 1}, "SUCCESS")
        assert app.AsyncResult("id").result == {"answer": 1}
        # All of them in the same database, under our prefix.
        assert client.exists(f"{celery_options(settings)['global_keyprefix']}celery-task-meta-id") == 1


def test_a_channel_of_the_broker_keeps_a_client_for_as_long_as_its_connections(settings: Settings) -> None:
    broker: Any = Connection(celery_url(settings), transport_options=celery_options(settings))  # type: ignore[no-untyped-call]
    with broker:
        channel = broker.default_channel
        with channel.conn_or_acquire() as client, channel.conn_or_acquire() as again:
            assert client is again
        with channel.conn_or_acquire(client.pipeline()) as given:
            assert given is not client
        channel._disconnect_pools()
        with channel.conn_or_acquire() as new:
            assert new is not client
            assert new.ping()


def test_connections_leave_a_primary_that_was_demoted(tmp_path: Path) -> None:
    with ExitStack() as stack:
        old, new = (server(tmp_path, stack) for _ in range(2))
        proxy = stack.enter_context(Proxy(old.port))
        client = stack.enter_context(connect(f"redis://127.0.0.1:{proxy.port}/0", timeout_s=5.0))
        channel = stack.enter_context(client.pubsub())
        channel.subscribe("notices")
        assert client.set("a", "1")
        write = client.register_script("return redis.call('SET', KEYS[1], ARGV[1])")
        assert write(keys=["a"], args=["1"])
        with redis.Redis(port=old.port) as there:
            there.replicaof("127.0.0.1", str(new.port))
        proxy.target = new.port
        with pytest.raises(Demoted):
            write(keys=["a"], args=["2"])
        assert write(keys=["a"], args=["3"])
        with redis.Redis(port=new.port) as there:
            assert there.get("a") == b"3"
            # The subscription heard nothing itself, and moves all the same.
            assert channel.get_message(timeout=5) is not None
            eventually(lambda: channel.get_message(timeout=0.1) is None and there.pubsub_numsub("notices")[0][1] == 1)


def test_readyz_is_503_as_soon_as_the_server_refuses_to_be_written_to(tmp_path: Path) -> None:
    with ExitStack() as stack:
        old, new = (server(tmp_path, stack) for _ in range(2))
        url = f"redis://127.0.0.1:{old.port}/0"
        web = stack.enter_context(WebServer(url, Keys(f"d{uuid.uuid4().hex[:12]}")))
        eventually(lambda: requests.get(f"{web.url}/readyz", timeout=5).ok)
        with redis.Redis(port=old.port) as there:
            there.replicaof("127.0.0.1", str(new.port))
            eventually(lambda: requests.get(f"{web.url}/readyz", timeout=5).status_code == 503, within_s=3.0)
            there.replicaof("NO", "ONE")
        web.beat.once()
        eventually(lambda: requests.get(f"{web.url}/readyz", timeout=5).ok, within_s=15.0)


def test_a_server_without_memory_is_ready_for_reading(tmp_path: Path) -> None:
    with ExitStack() as stack:
        full = server(tmp_path, stack)
        url = f"redis://127.0.0.1:{full.port}/0"
        web = stack.enter_context(WebServer(url, Keys(f"d{uuid.uuid4().hex[:12]}")))
        eventually(lambda: requests.get(f"{web.url}/readyz", timeout=5).ok)
        with redis.Redis(port=full.port) as there:
            there.config_set("maxmemory", 1)
            assert requests.get(f"{web.url}/readyz", timeout=5).status_code == 200
