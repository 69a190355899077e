"""A real pretix of our own: installed into a folder of its own, migrated once, started with its
worker on an embedded PostgreSQL. Its licence (AGPL) and packages are not ours, so nothing of it is
ever imported here.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from marketplace.embedded import embedded_url, postgres_program

RELEASE: Final = "pretix==2026.8.0"
WEB: Final = "gunicorn==27.0.1"
READY_WITHIN_S: Final = 120
TEMPLATE: Final = "pretix_template"
SEED: Final = Path(__file__).with_name("seed.py")
CONFIG: Final = """\
[pretix]
instance_name=Trial
url={url}
datadir={data}
allow_http_to_private_networks=on
[database]
backend=postgresql
name={name}
user={user}
host={host}
port={port}
[django]
secret={secret}
[celery]
broker=filesystem://
backend=file://{broker}/results
broker_transport_options={{"data_folder_in": "{broker}/queue", "data_folder_out": "{broker}/queue",
  "control_folder": "{broker}/control"}}
"""


class Listener(HTTPServer):
    """Where pretix's webhook calls, as the marketplace's own address would be."""

    def __init__(self, take: Callable[[str], None]) -> None:
        class Notice(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                take(self.path)
                self.send_response(202)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Notice)


@contextmanager
def running(cache: Path, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its address, and what was seeded. `cache` is kept from run to run, `folder` is not."""
    python = _installed(cache)
    server = embedded_url(cache)
    seeded: dict[str, Any] = json.loads(_migrated(cache, python, server).read_text())
    url = f"http://127.0.0.1:{_free_port()}"
    bin_ = python.parent
    web = [bin_ / "gunicorn", "pretix.wsgi", "--bind", urlsplit(url).netloc, "--threads", "8"]
    worker = [bin_ / "celery", "-A", "pretix.celery_app", "worker", "--pool", "solo"]
    with ExitStack() as stack:
        database = stack.enter_context(_copy(server))
        environment = _configured(folder, url, server, database)
        for name, words in (("web", web), ("worker", worker)):
            stack.enter_context(_process(name, words, folder, environment))
        _wait(f"{url}/api/v1/version")
        yield url, seeded


def _installed(cache: Path) -> Path:
    """Python of an environment with pretix; made where there is none (600 MB)."""
    python = cache / "env" / "bin" / "python"
    wanted = f"{RELEASE} {WEB}"
    mark = cache / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        print(f"Installing {RELEASE} into {cache} (600 MB, minutes, once)", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", cache / "env"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", RELEASE, WEB], check=True)
        mark.write_text(wanted)
    return python


def _migrated(cache: Path, python: Path, server: str) -> Path:
    """What was seeded into the database TEMPLATE; made where there is none (two minutes)."""
    seeded = cache / "seeded.json"
    if not seeded.exists():
        print("Migrating pretix (two minutes, once)", file=sys.stderr)
        _sql(server, f"drop database if exists {TEMPLATE}")
        _sql(server, f"create database {TEMPLATE}")
        work = cache / "work"
        shutil.rmtree(work, ignore_errors=True)
        environment = _configured(work, "http://127.0.0.1", server, TEMPLATE)
        draft = cache / "seeded.draft"
        environment["SEEDED"] = str(draft)
        manage: list[str | Path] = [python, "-m", "pretix"]
        quiet = subprocess.DEVNULL
        subprocess.run([*manage, "migrate"], env=environment, cwd=work, check=True, stdout=quiet)
        with SEED.open() as seed:
            words = [*manage, "shell"]
            subprocess.run(words, env=environment, cwd=work, check=True, stdin=seed, stdout=quiet)
        draft.rename(seeded)
    return seeded


@contextmanager
def _copy(server: str) -> Iterator[str]:
    """A database as it was seeded, for one run."""
    name = f"trial_{secrets.token_hex(4)}"
    _sql(server, f"create database {name} template {TEMPLATE}")
    try:
        yield name
    finally:
        _sql(server, f"drop database {name} with (force)")


def _sql(server: str, words: str) -> None:
    subprocess.run([postgres_program("psql"), "-qX", server, "-c", words], check=True)


def _configured(folder: Path, url: str, server: str, database: str) -> dict[str, str]:
    """The environment of a pretix whose files lie in `folder`."""
    for name in ("data", "broker/queue", "broker/control", "broker/results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    parts = urlsplit(server)
    config = folder / "pretix.cfg"
    config.write_text(
        CONFIG.format(
            url=url,
            data=folder / "data",
            broker=folder / "broker",
            secret="s" * 50,
            name=database,
            user=parts.username or "postgres",
            # A folder with the server's socket, or where it listens.
            host=parts.hostname or parse_qs(parts.query)["host"][0],
            port=parts.port or "",
        )
    )
    return {**os.environ, "PRETIX_CONFIG_FILE": str(config)}


@contextmanager
def _process(
    name: str, words: list[Any], folder: Path, environment: dict[str, str]
) -> Iterator[None]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [str(each) for each in words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(address: str) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            with urlopen(address, timeout=5):  # noqa: S310 - our own server
                return
        except HTTPError:
            return  # Any status is an answer: somebody is there.
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
