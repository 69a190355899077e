"""Finds the plugin to check, by name or folder, from its metadata: none of its code is imported."""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from marketplace.certify.domain import Target
from marketplace.errors import UsageError
from marketplace.installed import ENTRY_POINT_GROUP, entries
from marketplace.plugins import SLUG

REHEARSAL_GROUP = "marketplace.rehearsal"
NOT_OURS = ("__pycache__", ".pytest_cache", ".git")


def find(name_or_path: str) -> Target:
    """The plugin that is installed under this name, or lies in this folder; UsageError if none."""
    path = Path(name_or_path)
    if (path / "pyproject.toml").is_file():
        return _in_folder(path.resolve())
    if SLUG.fullmatch(name_or_path):
        points = entries(name_or_path)
        if len({point.value for point in points}) > 1:
            owners = sorted({point.dist.name for point in points if point.dist})
            raise UsageError(
                f"Several distributions have a plugin {name_or_path!r}: {', '.join(owners)}. "
                "Uninstall all but one."
            )
        if points:
            return _installed(points[0])
    raise UsageError(
        f"{name_or_path!r} is neither an installed plugin nor a folder with a pyproject.toml."
    )


def _in_folder(folder: Path) -> Target:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        name = str(project["name"])
        points = project["entry-points"][ENTRY_POINT_GROUP]
        ((slug, module),) = points.items()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{folder / 'pyproject.toml'} is not well formed: {error}") from None
    except (KeyError, ValueError, AttributeError):
        raise UsageError(
            f"{folder / 'pyproject.toml'} needs [project] with a name, and exactly one entry in "
            f"[project.entry-points.{ENTRY_POINT_GROUP}]: slug = module."
        ) from None
    if "version" not in project:
        raise UsageError(
            f"{name} states no version in its pyproject.toml; install it and check it by name."
        )
    if not SLUG.fullmatch(slug):
        raise UsageError(f"{slug!r} is no slug: 2 to 31 lower case letters and digits.")
    rehearsals: dict[str, str] = project["entry-points"].get(REHEARSAL_GROUP, {})
    root = folder / "src" if (folder / "src").is_dir() else folder
    top = str(module).split(".")[0]
    found = tuple(_packages(root)) if root != folder else tuple(_named(root, {top}))
    return Target(
        slug=slug,
        distribution=name,
        version=str(project["version"]),
        module=str(module).partition(":")[0],
        rehearsal=rehearsals.get(slug),
        part_rehearsals=_of_parts(slug, rehearsals),
        root=root,
        packages=found,
        source=folder,
    )


def _of_parts(slug: str, rehearsals: Mapping[str, str]) -> dict[str, str]:
    """The rehearsals of its rail and notifiers: their names begin with its slug and a dot."""
    return {name: rehearsals[name] for name in sorted(rehearsals) if name.startswith(f"{slug}.")}


def _packages(root: Path) -> Iterator[Path]:
    for each in sorted(root.iterdir()):
        if each.suffix == ".py" or (each.is_dir() and (each / "__init__.py").exists()):
            yield each


def _named(root: Path, names: set[str]) -> Iterator[Path]:
    return (each for each in _packages(root) if each.stem in names)


def _installed(point: EntryPoint) -> Target:
    distribution = point.dist
    if distribution is None:
        raise UsageError(f"The plugin {point.name!r} belongs to no distribution.")
    project = _editable_folder(distribution)
    if project is not None:
        return _in_folder(project)
    root = Path(str(distribution.locate_file(""))).resolve()
    tops = {
        file.parts[0].removesuffix(".py")
        for file in distribution.files or ()
        if ".." not in file.parts and not file.parts[0].endswith((".dist-info", ".data"))
    }
    rehearsals = {
        each.name: each.value for each in distribution.entry_points.select(group=REHEARSAL_GROUP)
    }
    return Target(
        slug=point.name,
        distribution=distribution.name,
        version=distribution.version,
        module=point.module,
        rehearsal=rehearsals.get(point.name),
        part_rehearsals=_of_parts(point.name, rehearsals),
        root=root,
        packages=tuple(_named(root, tops | {point.module.split(".")[0]})),
        source=None,
    )


def _editable_folder(distribution: Distribution) -> Path | None:
    """The project folder of an editable installation (PEP 610)."""
    text = distribution.read_text("direct_url.json")
    if text is None:
        return None
    origin: dict[str, Any] = json.loads(text)
    if not origin.get("dir_info", {}).get("editable"):
        return None
    path = unquote(urlsplit(origin["url"]).path)
    return Path(path.lstrip("/") if sys.platform == "win32" else path)


def files_of(target: Target) -> list[Path]:
    """Every file of the plugin's packages, in order of their names."""
    found: list[Path] = []
    for package in target.packages:
        paths = [package] if package.is_file() else package.rglob("*")
        found += [
            path
            for path in paths
            if path.is_file()
            and path.suffix not in (".pyc", ".pyo")
            and not set(path.relative_to(target.root).parts) & set(NOT_OURS)
        ]
    return sorted(found)


def digest(target: Target) -> str:
    """SHA-256 over the plugin's files and entry points, the same in a folder and installed."""
    total = hashlib.sha256()
    for path in files_of(target):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(target.root).as_posix()}\0{content}\n".encode())
    total.update(f"{target.slug}\0{target.module}\0{target.rehearsal or ''}\n".encode())
    for part, rehearsal in target.part_rehearsals.items():
        total.update(f"{part}\0{rehearsal}\n".encode())
    return total.hexdigest()


@contextmanager
def seen(folder: Path) -> Iterator[None]:
    """Let the plugin in `folder`, if there is one, be found by its entry points in the block."""
    try:
        target = find(str(folder))
    except UsageError:
        target = None
    if target is None or entries(target.slug):
        yield
        return
    with TemporaryDirectory() as shim:
        write_shim(target, Path(shim))
        added = [shim, str(target.root)]
        sys.path[:0] = added
        try:
            yield
        finally:
            for each in added:
                sys.path.remove(each)


def write_shim(target: Target, folder: Path) -> None:
    """Write into `folder` the metadata that makes the plugin look installed from there."""
    name = target.distribution.replace("-", "_")
    info = folder / f"{name}-{target.version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {target.distribution}\nVersion: {target.version}\n"
    )
    lines = [f"[{ENTRY_POINT_GROUP}]", f"{target.slug} = {target.module}"]
    lines.append(f"[{REHEARSAL_GROUP}]")
    if target.rehearsal:
        lines.append(f"{target.slug} = {target.rehearsal}")
    lines += [f"{part} = {each}" for part, each in target.part_rehearsals.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
