"""Which plugins are installed is known by now, though it is not looked up each time."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from marketplace.installed import entries, slugs_installed


def put(folder: Path, slug: str) -> Path:
    """The metadata of a plugin, as an installer leaves it."""
    info = folder / f"{slug}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {slug}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[marketplace]\n{slug} = {slug}.hooks\n")
    return info


def later(folder: Path) -> None:
    """An installer takes longer than clocks of file systems have grains."""
    changed_ns = folder.stat().st_mtime_ns + 10**9
    os.utime(folder, ns=(changed_ns, changed_ns))


def test_what_is_installed_or_taken_out_meanwhile_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = slugs_installed()
    put(tmp_path, "early")
    assert slugs_installed() == before
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert slugs_installed() == before | {"early"}
    late = put(tmp_path, "late")
    later(tmp_path)
    assert slugs_installed() == before | {"early", "late"}
    assert [each.value for each in entries("late")] == ["late.hooks"]
    shutil.rmtree(late)
    later(tmp_path)
    assert slugs_installed() == before | {"early"}


def test_a_folder_that_is_not_there_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = slugs_installed()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "away")])
    assert slugs_installed() == before
