"""What a wheel says of itself. None of its code is imported or run."""

from __future__ import annotations

import ast
import configparser
import hashlib
import zipfile
import zlib
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from marketplace.api_version import FIRST
from marketplace.errors import UsageError
from marketplace.installed import ENTRY_POINT_GROUP
from marketplace.plugins import SLUG

MOST_BYTES = 50_000_000
MOST_UNPACKED_BYTES = 200_000_000
MOST_FILES = 5_000
LARGEST_TEXT = 2_000_000
"""Metadata, or the module of the entry point."""
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, configparser.Error, KeyError),
    *(ValueError, RuntimeError),  # no UTF-8 and the like; encrypted, or packed as nobody packs
)
"""What reading something that is no sound wheel raises."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that may be installed."""

    wheel: Path
    sha256: str
    distribution: str
    version: str
    slug: str
    module: str
    api_version: str
    """The version of the plugin API that it was written for."""
    requires: tuple[Requirement, ...]
    files: tuple[PurePosixPath, ...]
    """What would be put beside the packages that are here."""

    @property
    def tops(self) -> set[str]:
        """Names that could be imported from it."""
        return {
            path.parts[0].removesuffix(".py")
            for path in self.files
            if not path.parts[0].endswith(".dist-info")
        }


def read_wheel(wheel: Path) -> Candidate:
    """The plugin in this wheel; UsageError says what is wrong with it."""
    try:
        content = wheel.read_bytes()
    except OSError as error:
        raise UsageError(f"{wheel} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{wheel.name} is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _read(wheel, archive, hashlib.sha256(content).hexdigest())
    except UNREADABLE as error:
        raise UsageError(f"{wheel.name} is no wheel that can be read: {error}") from None


def _read(wheel: Path, archive: zipfile.ZipFile, sha256: str) -> Candidate:
    names = [PurePosixPath(each) for each in archive.namelist() if not each.endswith("/")]
    if len(names) > MOST_FILES:
        raise UsageError(f"{wheel.name} holds more than {MOST_FILES} files.")
    # What is stated holds: no more than that is unpacked of a file.
    unpacked = sum(each.file_size for each in archive.infolist())
    if unpacked > MOST_UNPACKED_BYTES:
        raise UsageError(f"{wheel.name} would take {unpacked // 1_000_000} MB of the disk.")
    infos = {path.parts[0] for path in names if path.parts[0].endswith(".dist-info")}
    if len(infos) != 1:
        raise UsageError(f"{wheel.name} is no wheel: it needs one folder of metadata.")
    (info,) = infos
    metadata = HeaderParser().parsestr(_text(archive, f"{info}/METADATA"))
    name, version = metadata["Name"], metadata["Version"]
    if not name or not version:
        raise UsageError(f"{wheel.name} states no name or version.")
    slug, module = _entry(archive, info, str(name), names)
    return Candidate(
        wheel=wheel,
        sha256=sha256,
        distribution=str(name),
        version=str(version),
        slug=slug,
        module=module,
        api_version=_api_version(archive, module, names),
        requires=_requirements(metadata.get_all("Requires-Dist") or []),
        files=tuple(_installed_paths(names)),
    )


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > LARGEST_TEXT:
        raise UsageError(f"{name} is too large to be looked at.")
    return archive.read(name).decode()


def _entry(
    archive: zipfile.ZipFile, info: str, name: str, names: list[PurePosixPath]
) -> tuple[str, str]:
    """(slug, module) of the one entry point of a plugin."""
    points: dict[str, str] = {}
    if PurePosixPath(info, "entry_points.txt") in names:
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(_text(archive, f"{info}/entry_points.txt"))
        if parser.has_section(ENTRY_POINT_GROUP):
            points = dict(parser.items(ENTRY_POINT_GROUP))
    if len(points) != 1:
        raise UsageError(
            f"{name} is no plugin: it needs exactly one entry point of group "
            f"{ENTRY_POINT_GROUP!r}, slug = module, and has {len(points)}."
        )
    ((slug, module),) = points.items()
    if not SLUG.fullmatch(slug):
        raise UsageError(f"{slug!r} is no slug: 2 to 31 lower case letters and digits.")
    return slug, module.partition(":")[0].strip()


def _api_version(archive: zipfile.ZipFile, module: str, names: list[PurePosixPath]) -> str:
    """What the entry point's module states, read as text."""
    place = module.replace(".", "/")
    for path in (f"{place}.py", f"{place}/__init__.py"):
        if PurePosixPath(path) not in names:
            continue
        try:
            tree = ast.parse(_text(archive, path))
        except SyntaxError as error:
            raise UsageError(f"{path} is no Python that can be read: {error.msg}.") from None
        return _stated(tree, path)
    raise UsageError(f"Its entry point names the module {module}, which is not in it.")


def _stated(tree: ast.Module, path: str) -> str:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(each, ast.Name) and each.id == "api_version" for each in targets):
            value = node.value  # type: ignore[attr-defined]
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                return value.value
            raise UsageError(f'{path}: write api_version as plain text, like "{FIRST}".')
    return FIRST


def _requirements(texts: list[str]) -> tuple[Requirement, ...]:
    try:
        return tuple(Requirement(each) for each in texts)
    except InvalidRequirement as error:
        raise UsageError(f"It states a requirement that cannot be read: {error}") from None


def _installed_paths(names: list[PurePosixPath]) -> list[PurePosixPath]:
    """Where its files go, below the folder of packages; UsageError for what goes elsewhere."""
    found = []
    for path in names:
        if path.is_absolute() or ".." in path.parts:
            raise UsageError(f"It would write outside the folder of packages: {path}.")
        top = path.parts[0]
        if top.endswith(".data"):
            if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib"):
                raise UsageError(f"It would write outside the folder of packages: {path}.")
            path = PurePosixPath(*path.parts[2:])
        if path.suffix == ".pth":
            raise UsageError(f"It holds {path}, which would run at every start of Python.")
        found.append(path)
    return found
