"""A real pretix of our own: installed into a folder of its own, migrated once, started with its
worker. Its licence (AGPL) and packages are not ours, so nothing of it is ever imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

RELEASE: Final = "pretix==2026.8.0"
WEB: Final = "gunicorn==27.0.1"
READY_WITHIN_S: Final = 120
SEED: Final = Path(__file__).with_name("seed.py")
CONFIG: Final = """\
[pretix]
instance_name=Trial
url={url}
datadir={data}
[database]
backend=sqlite3
[django]
secret={secret}
[celery]
broker=filesystem://
backend=file://{broker}/results
broker_transport_options={{"data_folder_in": "{broker}/queue", "data_folder_out": "{broker}/queue",
  "control_folder": "{broker}/control"}}
"""


@contextmanager
def running(cache: Path, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its address, and what was seeded. `cache` is kept from run to run, `folder` is not."""
    python = _installed(cache)
    template = _migrated(cache, python)
    shutil.copytree(template, folder / "data")
    seeded: dict[str, Any] = json.loads((template / "seeded.json").read_text())
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = _configured(folder, url)
    bin_ = python.parent
    # SQLite takes one writer: one thread in the web process, one in the worker.
    web = [bin_ / "gunicorn", "pretix.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "1"]
    worker = [bin_ / "celery", "-A", "pretix.celery_app", "worker", "--pool", "solo"]
    with ExitStack() as stack:
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


def _migrated(cache: Path, python: Path) -> Path:
    """A data folder with tables and an event; made where there is none (two minutes)."""
    template = cache / "data"
    if not (template / "seeded.json").exists():
        print("Migrating pretix (two minutes, once)", file=sys.stderr)
        shutil.rmtree(template, ignore_errors=True)
        # Thousands of small transactions: in memory where there is such a folder.
        memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
        draft = Path(tempfile.mkdtemp(prefix="pretix-", dir=memory if memory.is_dir() else None))
        environment = _configured(draft, "http://127.0.0.1")
        (draft / "data").mkdir(exist_ok=True)
        environment["SEEDED"] = str(draft / "data" / "seeded.json")
        manage = [python, "-m", "pretix"]
        quiet = subprocess.DEVNULL
        subprocess.run([*manage, "migrate"], env=environment, cwd=draft, check=True, stdout=quiet)
        with SEED.open() as seed:
            words = [*manage, "shell"]
            subprocess.run(words, env=environment, cwd=draft, check=True, stdin=seed, stdout=quiet)
        shutil.copytree(draft / "data", template)
        shutil.rmtree(draft)
    return template


def _configured(folder: Path, url: str) -> dict[str, str]:
    """The environment of a pretix whose data lie in `folder`."""
    for name in ("queue", "control", "results"):
        (folder / "broker" / name).mkdir(parents=True, exist_ok=True)
    config = folder / "pretix.cfg"
    config.write_text(
        CONFIG.format(url=url, data=folder / "data", broker=folder / "broker", secret="s" * 50)
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
