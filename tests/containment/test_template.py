"""Processes forked from a template: each is as alone as one that was started from nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from marketplace import api
from marketplace.containment import messages, starting
from marketplace.containment.messages import AskHealth
from marketplace.containment.output import Listener
from marketplace.containment.probe import terms_of
from marketplace.containment.process import PluginProcess, ProcessEnded, Why
from marketplace.containment.starting import Template
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY
from tests.containment.conftest import until
from tests.containment.hostile import install

SHOWS = """
import json
import random
import resource
import uuid

from marketplace import ids


def shown():
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgrp(),
        "tasks": len(os.listdir("/proc/self/task")),
        "files": sorted(os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
                        for fd in os.listdir("/proc/self/fd")
                        if os.path.exists(f"/proc/self/fd/{fd}")),
        "inherited": sorted(int(fd) for fd in os.listdir("/proc/self/fd")
                            if os.path.exists(f"/proc/self/fd/{fd}")
                            and os.get_inheritable(int(fd))),
        "environ": dict(os.environ),
        "directory": os.getcwd(),
        "path": sys.path,
        "argv": sys.argv[1:],
        "limits": [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
                   for name in ("DATA", "NOFILE", "CORE")],
        "random": [random.random(), str(uuid.uuid4()), str(ids.uuid7()), ids.next_key() & 1023],
        "modules": sorted(sys.modules),
    }


def health(self):
    return api.Health(ok=True, message=json.dumps(shown()))


Supplier.health = health
"""
STOP_S = 30.0

Begin = Callable[..., PluginProcess]


@pytest.fixture
def own_template(monkeypatch: pytest.MonkeyPatch) -> Iterator[Template]:
    """A template of this test's own, kept until its end."""
    own = Template()
    monkeypatch.setattr(starting, "template", own)
    with own.kept():
        yield own


@pytest.fixture
def begin(
    settings: Settings, site: Path, own_template: Template, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Begin]:
    """`begin("exits", fulfil="os._exit(3)")` installs a plugin and starts a process of it."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    listener, started = Listener(), []

    def make(slug: str, **body: str) -> PluginProcess:
        if not (site / f"hostile_{slug}.py").exists():
            install(site, slug, **body)
        terms = terms_of(settings, slug, database_url=settings.database_url, secret_keys=SECRET_KEY)
        started.append(PluginProcess(terms, listener, STOP_S))
        return started[-1]

    yield make
    for each in started:
        each.kill()
    listener.close()


def ask(process: PluginProcess) -> dict[str, Any]:
    """What the process says of itself."""
    health = messages.decode(process.call(AskHealth(), STOP_S), api.Health)
    said: dict[str, Any] = json.loads(health.message)
    return said


def test_a_forked_process_has_what_one_started_from_nothing_has(
    begin: Begin, own_template: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begin("good")  # so that the template is there before anything that follows
    monkeypatch.setenv("SHOWS_TOKEN", "its own")
    monkeypatch.setenv("OTHER_TOKEN", "another plugin's")
    monkeypatch.setenv("MARKETPLACE_SECRET_KEYS", "the house's")
    monkeypatch.setenv("SHOWS_NAME", "\udce9")  # bytes that are no text pass as they are
    monkeypatch.chdir(tmp_path)
    forked = begin("shows", more=SHOWS)
    begin("shows")  # another one is there, whose descriptors are nobody else's
    said = ask(forked)
    monkeypatch.setattr(own_template, "_unfit", True)
    fresh = ask(begin("shows"))

    assert psutil.Process(said["parent"]).ppid() == fresh["parent"] == os.getpid()
    assert said["pid"] == said["session"] == said["group"] == forked.pid
    for what in ("tasks", "environ", "directory", "path", "limits"):
        assert said[what] == fresh[what], what
    assert said["files"] == fresh["files"]
    assert said["inherited"] == [0, 1, 2, *map(int, said["argv"])]
    assert len(said["inherited"]) == len(fresh["inherited"])
    assert said["environ"]["SHOWS_TOKEN"] == "its own"
    assert not {"OTHER_TOKEN", "MARKETPLACE_SECRET_KEYS"} & set(said["environ"])
    assert set(fresh["modules"]) <= set(said["modules"])


@pytest.mark.parametrize("how", ["forked", "first", "from nothing"])
def test_a_folder_that_was_removed_under_the_worker_keeps_no_plugin_from_starting(
    how: str,
    begin: Begin,
    own_template: Template,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if how == "forked":
        begin("good")
    monkeypatch.setattr(own_template, "_unfit", how == "from nothing")
    release = tmp_path / "release"
    release.mkdir()
    monkeypatch.chdir(release)
    release.rmdir()
    said = ask(begin("shows", more=SHOWS.replace("os.getcwd()", "0")))
    assert (said["parent"] == os.getpid()) is (how == "from nothing")


def test_what_is_left_to_chance_differs_between_forks(begin: Begin) -> None:
    first, second = ask(begin("shows", more=SHOWS)), ask(begin("shows"))
    assert first["parent"] == second["parent"]
    assert not set(first["random"]) & set(second["random"])


def test_the_template_knows_nothing_and_runs_no_plugin(
    begin: Begin, own_template: Template
) -> None:
    said = ask(begin("shows", more=SHOWS))
    parent = psutil.Process(said["parent"])
    assert parent.num_threads() == 1
    assert parent.net_connections("inet") == []
    own = Path(f"/proc/{parent.pid}/environ").read_bytes()
    assert b"MARKETPLACE" not in own
    assert SECRET_KEY.encode() not in own


def test_an_id_is_nobody_elses_before_the_process_is_forgotten(begin: Begin) -> None:
    process = begin("exits", more="import threading; threading.Timer(0.5, os._exit, (3,)).start()")
    until(lambda: not process.is_alive)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    with pytest.raises(ProcessEnded, match="ended by itself with status 3") as raised:
        process.call(AskHealth(), STOP_S)
    assert raised.value.why is Why.EXIT
    until(lambda: not psutil.pid_exists(process.pid))


def test_a_template_that_was_killed_is_replaced_and_no_call_is_lost(begin: Begin) -> None:
    process = begin("shows", more=SHOWS)
    first = psutil.Process(ask(process)["parent"])
    first.kill()
    until(lambda: is_over(first.pid))
    assert ask(process)["pid"] == process.pid  # it goes on for what it was asked
    assert not process.is_alive  # and is asked no more
    process.kill()
    again = begin("shows")
    assert ask(again)["parent"] != first.pid
    assert psutil.Process(ask(again)["parent"]).ppid() == os.getpid()
    until(lambda: is_over(process.pid))


def is_over(pid: int) -> bool:
    """Whether a process runs no more; one that lost its parent is reaped when the system likes."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True


def test_nothing_of_it_outlives_a_worker_that_is_killed(
    begin: Begin, settings: Settings, tmp_path: Path
) -> None:
    begin("sleeps", fulfil="time.sleep(600)").kill()  # which installs it
    told = tmp_path / "told"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, settings.database_url or "", SECRET_KEY, str(told)]
    )
    until(lambda: told.exists() and told.read_text().endswith("\n"))
    below = psutil.Process(worker.pid).children(recursive=True)
    assert len(below) == 2
    worker.kill()
    worker.wait(STOP_S)
    until(lambda: all(is_over(each.pid) for each in below))


WORKER = """
import pathlib, sys, time
from marketplace.containment.output import Listener
from marketplace.containment.probe import terms_of
from marketplace.containment.process import PluginProcess
from marketplace.settings import Settings

url, keys, told = sys.argv[1:]
terms = terms_of(Settings(database_url=url), "sleeps", database_url=url, secret_keys=keys)
process = PluginProcess(terms, Listener(), 30)
pathlib.Path(told).write_text("started\\n")
time.sleep(600)
"""


def test_without_anybody_who_keeps_it_a_template_ends(
    begin: Begin, own_template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Template()
    monkeypatch.setattr(starting, "template", other)
    with other.kept():
        with other.kept():
            said = ask(begin("shows", more=SHOWS))
        assert psutil.pid_exists(said["parent"])
    assert not psutil.pid_exists(said["parent"])
    until(lambda: is_over(said["pid"]))


def test_what_an_interpreter_reads_once_needs_one_of_its_own(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(begin("shows", more=SHOWS))["parent"] != os.getpid()
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert ask(begin("shows"))["parent"] == os.getpid()


def test_where_the_template_has_threads_each_process_is_an_interpreter(
    begin: Begin, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "sitecustomize.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    for _ in range(2):
        assert ask(begin("shows", more=SHOWS))["parent"] == os.getpid()
    said = [each.message for each in caplog.records if "template" in each.message]
    assert len(said) == 1, said
