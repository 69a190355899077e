"""`marketplace plugins install`: what may be put beside the locked packages, and what may not."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from marketplace.errors import UsageError
from marketplace.registry import wheels
from marketplace.registry.installing import fetched, refuse
from marketplace.registry.wheels import read_wheel
from marketplace.scaffold.write import scaffold
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY

PLUGIN = 'api_version = "1.0"\nraise SystemExit("code of the plugin was run")\n'
ENTRY = "[marketplace]\nacme = marketplace_acme.plugin\n"

MakeWheel = Callable[..., Path]


@pytest.fixture
def wheel(tmp_path: Path) -> MakeWheel:
    """`wheel(files={...}, requires=[...])`: a wheel of marketplace-acme 0.1.0, changed so."""

    def make(
        *,
        name: str = "marketplace-acme",
        entry: str = ENTRY,
        plugin: str = PLUGIN,
        requires: tuple[str, ...] = (),
        files: Mapping[str, str] | None = None,
    ) -> Path:
        stem = f"{name.replace('-', '_')}-0.1.0"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 0.1.0"]
        lines += [f"Requires-Dist: {each}" for each in requires]
        content = {
            "marketplace_acme/__init__.py": "",
            "marketplace_acme/plugin.py": plugin,
            **(files or {}),
            f"{stem}.dist-info/METADATA": "\n".join(lines) + "\n",
            f"{stem}.dist-info/entry_points.txt": entry,
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
            f"{stem}.dist-info/RECORD": "",
        }
        path = tmp_path / f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, text in content.items():
                archive.writestr(each, text)
        return path

    return make


def test_a_good_wheel_is_read_without_running_any_of_it(wheel: MakeWheel) -> None:
    found = read_wheel(wheel(requires=("msgspec>=0.18", "nothing; extra == 'more'")))
    assert (found.slug, found.distribution, found.version) == ("acme", "marketplace-acme", "0.1.0")
    assert found.api_version == "1.0"
    assert found.tops == {"marketplace_acme"}
    refuse(found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plugin": 'api_version = "1.9"\n'}, "was written for version 1.9 of the plugin API"),
        ({"plugin": "api_version: str = version()\n"}, "write api_version as plain text"),
        ({"plugin": "def broken(:\n"}, "no Python that can be read"),
        ({"entry": ""}, "is no plugin: it needs exactly one entry point"),
        ({"entry": ENTRY + "other = x\n"}, "and has 2"),
        ({"entry": "[marketplace]\nAcme-1 = x\n"}, "is no slug"),
        ({"entry": "[marketplace]\nacme = elsewhere\n"}, "which is not in it"),
        (
            {"entry": ENTRY.replace("acme =", "giftfund =")},
            "marketplace-giftfund .* has a plugin 'giftfund' already",
        ),
        ({"entry": ENTRY.replace("acme =", "catalog =")}, "'catalog' is the marketplace's own"),
        ({"entry": ENTRY.replace("acme =", "wallet =")}, "'wallet' is the marketplace's own"),
        ({"name": "litestar"}, "a package of this name is installed .* and holds no plugin"),
        ({"name": "marketplace-giftfund"}, "holds the plugin 'giftfund'"),
        (
            {"requires": ("msgspec<0.1", "left-pad>=1")},
            r"msgspec<0.1 \(installed is .*\), left-pad>=1 \(not installed\)",
        ),
        ({"requires": ("not a requirement!",)}, "requirement that cannot be read"),
        ({"files": {"litestar/__init__.py": ""}}, "'litestar' would overwrite or hide"),
        ({"files": {"json.py": ""}}, "'json' would hide"),
        ({"files": {"marketplace/api.py": ""}}, "'marketplace' would hide"),
        ({"files": {"evil.pth": "import os"}}, "would run at every start of Python"),
        ({"files": {"../evil.py": ""}}, "outside the folder of packages"),
        ({"files": {"marketplace_acme-0.1.0.data/scripts/sh": ""}}, "outside the folder"),
    ],
)
def test_what_must_not_be_installed_is_refused_with_the_reason(
    wheel: MakeWheel, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        refuse(read_wheel(wheel(**changes)))


def test_a_small_wheel_that_would_fill_the_disk_is_refused(
    wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "MOST_UNPACKED_BYTES", 1_000_000)
    path = wheel(files={"marketplace_acme/zeros": "0" * 2_000_000})
    assert path.stat().st_size < 10_000
    with pytest.raises(UsageError, match="would take 2 MB"):
        read_wheel(path)


def test_a_wheel_that_is_damaged_or_locked_is_refused(wheel: MakeWheel) -> None:
    path = wheel(plugin=PLUGIN + "# comment\n" * 1_000)
    whole = path.read_bytes()
    names = zipfile.ZipFile(path).infolist()
    (info,) = [each for each in names if each.filename.endswith("METADATA")]
    start = info.header_offset + 30 + len(info.filename)
    central = whole.index(b"PK\x01\x02", whole.rindex(b"RECORD", 0, whole.index(b"PK\x01\x02")))
    locked = bytearray(whole)
    for place in range(central, len(whole)):
        if whole[place : place + 4] == b"PK\x01\x02":
            locked[place + 8] |= 1  # the flag of an encrypted file
    for damaged in (whole[:start] + b"\xff" * 20 + whole[start + 20 :], bytes(locked)):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match="no wheel that can be read"):
            read_wheel(path)


def test_what_is_no_plugin_at_all(tmp_path: Path) -> None:
    settings = Settings()
    (tmp_path / "x.whl").write_text("no zip")
    (tmp_path / "x.txt").write_text("text")
    for source, words in {
        str(tmp_path / "x.whl"): "no wheel that can be read",
        str(tmp_path / "x.txt"): "is no wheel",
        str(tmp_path): "pyproject.toml",
        "marketplace-acme": "MARKETPLACE_PLUGIN_INDEX",
        "no name!": "no folder, no wheel and no name",
    }.items():
        with pytest.raises(UsageError, match=words), fetched(source, settings):
            pass
    indexed = Settings(plugin_index="https://index.example")
    direct = "acme @ https://evil.example/acme.whl"
    with pytest.raises(UsageError, match="not from an address"), fetched(direct, indexed):
        pass


@pytest.fixture
def elsewhere(tmp_path: Path, postgres_url: str, database_url: str) -> Callable[..., str]:
    """`elsewhere("plugins", "list")`: the command line in an environment of its own.

    It sees our packages, and what is installed goes into its own folder.
    """
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    environment = {
        **os.environ,
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_TEST_DATABASE_URL": postgres_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
        "MARKETPLACE_VAR_DIR": str(tmp_path / "var"),
        "MARKETPLACE_LOG_LEVEL": "ERROR",
        "MARKETPLACE_PLUGIN_INDEX": (tmp_path / "index").as_uri(),
    }

    def run(*words: str, fails: bool = False, said: str | None = None) -> str:
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "marketplace", *words],
            cwd=tmp_path,
            env=environment,
            input=said,
            capture_output=True,
            text=True,
        )
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_a_partner_s_folder_is_installed_and_taken_out_again(
    elsewhere: Callable[..., str], tmp_path: Path
) -> None:
    folder = scaffold("acme", "supplier", tmp_path)
    assert "can be installed" in elsewhere("plugins", "install", str(folder), "--dry-run")
    said = elsewhere("plugins", "install", str(folder))
    assert "Installed marketplace-acme 0.1.0 (plugin acme). SHA-256" in said
    shown = elsewhere("plugins", "show", "acme")
    assert "State: not_active. Version 0.1.0 has not been activated." in shown
    assert f"Installed from {folder}" in shown
    assert "most_units              100 (default)" in shown
    elsewhere("plugins", "uninstall", "acme")
    assert "acme" not in elsewhere("plugins", "list")


def test_by_name_only_from_the_allowed_index(
    elsewhere: Callable[..., str], tmp_path: Path, wheel: MakeWheel
) -> None:
    made = wheel(plugin='api_version = "1.0"\n')
    page = tmp_path / "index" / "marketplace-acme"
    page.mkdir(parents=True)
    made.rename(page / made.name)
    (page / "index.html").write_text(f'<a href="{made.name}">{made.name}</a>\n')
    said = elsewhere("plugins", "install", "marketplace-acme==0.1.0")
    assert "Installed marketplace-acme 0.1.0" in said
