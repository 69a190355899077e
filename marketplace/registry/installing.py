"""Installs a plugin beside the packages that are here, and touches none of them.

Everything is decided from metadata before pip runs; no code of the plugin is run for it, save that
a folder is built into a wheel by its own build backend.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from marketplace import api_version
from marketplace.certify.target import find
from marketplace.errors import UsageError
from marketplace.installed import ENTRY_POINT_GROUP, entries
from marketplace.plugins import BESIDE_THE_CORE
from marketplace.registry.wheels import Candidate, read_wheel
from marketplace.settings import Settings

PIP_LIMIT_S = 300
LAST_WORDS = 800
"""Characters of what pip said that are quoted."""
HOUSE = frozenset({"marketplace", "catalog", "charity", "settlement", "tests", "bench"})
"""Names of the marketplace's own packages, installed or in its folder."""


@contextmanager
def fetched(source: str, settings: Settings) -> Iterator[Candidate]:
    """The plugin in a folder or wheel, or of a name in the allowed index, for the block.

    UsageError where it is none, or must not be installed here; nothing has changed then.
    """
    with TemporaryDirectory() as folder:
        candidate = read_wheel(_wheel_of(source, settings, Path(folder)))
        refuse(candidate)
        yield candidate


def _wheel_of(source: str, settings: Settings, folder: Path) -> Path:
    path = Path(source)
    if path.is_dir():
        return _built(path, settings, folder)
    if path.is_file() or (path.suffix == ".whl" and ":/" not in source):
        if path.suffix != ".whl":
            raise UsageError(f"{source} is no wheel (.whl).")
        return path
    return _downloaded(source, settings, folder)


def _built(source: Path, settings: Settings, folder: Path) -> Path:
    target = find(str(source))  # reads pyproject.toml alone, and says what it lacks
    backend = _backend(source)
    if importlib.util.find_spec(backend.partition(".")[0]) is not None:
        how = ["--no-build-isolation", "--no-index"]
    elif settings.plugin_index:
        how = ["--index-url", settings.plugin_index]
    else:
        raise UsageError(
            f"{target.distribution} is built by {backend}, which is not installed here. Build a "
            f"wheel where it is (python -m pip wheel --no-deps {source}) and install that."
        )
    pip("wheel", "--no-deps", *how, "--wheel-dir", str(folder), str(source))
    return _only_wheel(folder)


def _backend(source: Path) -> str:
    with (source / "pyproject.toml").open("rb") as file:
        system = tomllib.load(file).get("build-system", {})
    return str(system.get("build-backend", "setuptools"))


def _downloaded(name: str, settings: Settings, folder: Path) -> Path:
    try:
        wanted = Requirement(name)
    except InvalidRequirement:
        raise UsageError(f"{name!r} is no folder, no wheel and no name of a package.") from None
    if not settings.plugin_index:
        raise UsageError(
            f"{name!r} is no folder and no wheel that is here. To install by name, the operator "
            "names the index that is allowed in MARKETPLACE_PLUGIN_INDEX."
        )
    if wanted.url:
        raise UsageError("Packages are taken from the allowed index, not from an address.")
    pip(
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--index-url",
        settings.plugin_index,
        "--dest",
        str(folder),
        str(wanted),
    )
    return _only_wheel(folder)


def _only_wheel(folder: Path) -> Path:
    found = list(folder.glob("*.whl"))
    if len(found) != 1:
        raise UsageError("pip made no wheel of it.")
    return found[0]


def pip(*words: str) -> None:
    """Run pip of this environment, by our words alone; UsageError with what it said."""
    if importlib.util.find_spec("pip") is None:
        raise UsageError(
            "pip is not installed in this environment; see docs/concepts/plugins.md, Installing."
        )
    flags = ["--isolated", "--no-input", "--disable-pip-version-check"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "pip", *flags, *words],
            capture_output=True,
            text=True,
            timeout=PIP_LIMIT_S,
            env={name: value for name, value in os.environ.items() if not _secret(name)},
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"pip was not done after {PIP_LIMIT_S} s.") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-LAST_WORDS:]
        raise UsageError(f"pip could not {words[0]} it:\n{said}")


def _secret(name: str) -> bool:
    """What a build backend must not see."""
    return name.startswith("MARKETPLACE_")


def refuse(candidate: Candidate) -> None:
    """UsageError where this plugin must not be installed here, with all that is missing."""
    for check in CHECKS:
        words = check(candidate)
        if words:
            named = f"{candidate.distribution} {candidate.version}"
            raise UsageError(f"{named} was not installed: {words}")


def _wrong_api(candidate: Candidate) -> str | None:
    return api_version.refusal(SimpleNamespace(api_version=candidate.api_version))


def _taken_slug(candidate: Candidate) -> str | None:
    if candidate.slug in {*BESIDE_THE_CORE, *_addresses()}:
        return f"the slug {candidate.slug!r} is the marketplace's own."
    for point in entries(candidate.slug):
        if point.dist is not None and not same(point.dist.name, candidate.distribution):
            return (
                f"{point.dist.name} {point.dist.version} has a plugin {candidate.slug!r} already. "
                "Uninstall that first, or choose another slug."
            )
    return None


def _addresses() -> set[str]:
    """First parts of the marketplace's own addresses: a plugin's routes go below its slug."""
    from marketplace.app import own_addresses  # the application imports every room

    return own_addresses()


def _taken_name(candidate: Candidate) -> str | None:
    here = _distribution(candidate.distribution)
    if here is None:
        return None
    slugs = [each.name for each in here.entry_points if each.group == ENTRY_POINT_GROUP]
    if slugs != [candidate.slug]:
        what = f"the plugin {slugs[0]!r}" if slugs else "no plugin"
        return f"a package of this name is installed ({here.version}) and holds {what}."
    return None


def _taken_files(candidate: Candidate) -> str | None:
    """Whether its packages would hide or overwrite somebody else's."""
    here = _distribution(candidate.distribution)
    own = {Path(str(each)).parts[0].removesuffix(".py") for each in (here and here.files) or ()}
    for top in sorted(candidate.tops):
        if top in HOUSE or top in sys.stdlib_module_names:
            return f"its package {top!r} would hide another of that name."
        # An editable installation of the same plugin lists no packages of its own.
        if top in own or (here is not None and top == candidate.module.partition(".")[0]):
            continue
        if importlib.util.find_spec(top) is not None:
            return f"its package {top!r} would overwrite or hide one that is installed."
    return None


def _missing(candidate: Candidate) -> str | None:
    """Requirements that what is installed does not meet: locked packages are not touched."""
    lacking = []
    for wanted in candidate.requires:
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        here = _distribution(wanted.name)
        if here is None:
            lacking.append(f"{wanted} (not installed)")
        elif not wanted.specifier.contains(here.version, prereleases=True):
            lacking.append(f"{wanted} (installed is {here.version})")
    if not lacking:
        return None
    return (
        "it needs what is not here, and what is here is locked: "
        f"{', '.join(lacking)}. Add it to the marketplace's own environment first."
    )


CHECKS: tuple[Callable[[Candidate], str | None], ...] = (
    _wrong_api,
    _taken_slug,
    _taken_name,
    _taken_files,
    _missing,
)


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def same(one: str, other: str) -> bool:
    """Whether two names of distributions are one."""
    return canonicalize_name(one) == canonicalize_name(other)


def put_in(candidate: Candidate) -> None:
    """Install the wheel: nothing else comes with it, nothing is fetched."""
    pip("install", "--no-deps", "--no-index", "--force-reinstall", str(candidate.wheel))


def take_out(name: str) -> None:
    """Uninstall a plugin's distribution."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} is no name of a package.")
    pip("uninstall", "--yes", name)
