"""What lets a process of tests build hundreds of applications in less time.

Nothing here changes what a test can see; together they take two thirds off the start of an
application, a third off everything else, and make a template's code once.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Hashable
from gettext import GNUTranslations
from types import FunctionType, SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import Environment
from litestar import Router
from litestar._kwargs import KwargsModel
from litestar._signature.model import SignatureModel
from litestar.di import Provide
from litestar.dto import AbstractDTO
from litestar.typing import FieldDefinition
from litestar.utils.signature import ParsedSignature
from litestar.utils.sync import AsyncCallable

Known = WeakKeyDictionary[Callable[..., Any], dict[object, Any]]
"""What was found out about each function."""


def use_less_time() -> None:
    """For a process of tests, once everything is imported."""
    collect_less()
    remember_signatures()
    remember_arguments()
    list_handlers_once()
    compile_templates_once()
    read_catalogs_once()


def collect_less() -> None:
    """Leave what was imported out of collections, and collect seldom, as an API process does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def remember_signatures() -> None:
    """Read the signature of each handler once, not once for each application it is part of."""
    parse = ParsedSignature.from_fn
    create = SignatureModel.create
    parsed, created = Remembered(), Remembered()

    def from_fn(fn: Callable[..., Any], signature_namespace: dict[str, Any]) -> ParsedSignature:
        known = parsed.of(fn)
        key = tuple((name, id(meant)) for name, meant in signature_namespace.items())
        if key not in known:
            known[key] = parse(fn, signature_namespace)
        found: ParsedSignature = known[key]
        return found

    def create_once(
        dependency_name_set: set[str],
        fn: Callable[..., Any],
        parsed_signature: ParsedSignature,
        type_decoders: Any,
        data_dto: type[AbstractDTO[Any]] | None = None,
    ) -> type[SignatureModel]:
        known = created.of(fn)
        names = frozenset(dependency_name_set)
        key = (names, id(parsed_signature), tuple(type_decoders or ()), data_dto)
        if key not in known:
            model = create(dependency_name_set, fn, parsed_signature, type_decoders, data_dto)
            known[key] = (model, parsed_signature)  # kept, so that its id stays its own
        found: type[SignatureModel] = known[key][0]
        return found

    ParsedSignature.from_fn = staticmethod(from_fn)  # type: ignore[method-assign, assignment]
    SignatureModel.create = staticmethod(create_once)  # type: ignore[method-assign, assignment]


class Remembered:
    """What was found out about functions, once for all that come of the same lines.

    A plugin defines its handlers anew for each host, and nothing of a signature depends on that.
    """

    def __init__(self) -> None:
        self._of_functions: Known = WeakKeyDictionary()
        self._of_lines: dict[Hashable, tuple[object, dict[object, Any]]] = {}

    def of(self, fn: Callable[..., Any]) -> dict[object, Any]:
        """What is known of this function."""
        lines = lines_of(fn)
        if lines is None:
            return self._of_functions.setdefault(fn, {})
        # The function is kept, so that ids in its lines stay its own.
        return self._of_lines.setdefault(lines, (fn, {}))[1]


def lines_of(fn: object) -> Hashable | None:
    """What all functions of the same lines have in common; None where a signature may differ."""
    if isinstance(fn, AsyncCallable):  # one that runs on a thread
        called = lines_of(fn.func)
        return called and (AsyncCallable, called)
    if not isinstance(fn, FunctionType) or hasattr(fn, "__signature__"):
        return None
    wrapped = lines_of(fn.__wrapped__) if hasattr(fn, "__wrapped__") else ()
    stated = tuple(fn.__annotations__.items())
    defaults = (*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values())
    if wrapped is None or not all(isinstance(each, str) for _, each in stated):
        return None
    if not all(each is None or isinstance(each, str | int) for each in defaults):
        return None
    names = tuple(fn.__kwdefaults__ or ())
    kinds = tuple(type(each) for each in defaults)
    return fn.__code__, id(fn.__globals__), fn.__qualname__, stated, defaults, kinds, names, wrapped


def remember_arguments() -> None:
    """Find out once where the arguments of a handler come from: its address, query or body."""
    make = KwargsModel.create_for_signature_model
    made: dict[object, tuple[KwargsModel, object]] = {}

    def make_once(
        signature_model: type[SignatureModel],
        parsed_signature: ParsedSignature,
        dependencies: dict[str, Provide],
        path_parameters: set[str],
        layered_parameters: dict[str, FieldDefinition],
        ctx: Any = None,
    ) -> KwargsModel:
        given = (signature_model, parsed_signature, tuple(dependencies.values()))
        if layered_parameters:
            return make(*given[:2], dependencies, path_parameters, layered_parameters, ctx)
        key = (
            *(id(signature_model), id(parsed_signature), frozenset(path_parameters)),
            *((name, id(provide)) for name, provide in dependencies.items()),
        )
        if key not in made:
            model = make(*given[:2], dependencies, path_parameters, layered_parameters, ctx)
            made[key] = (model, given)
        return made[key][0]

    KwargsModel.create_for_signature_model = staticmethod(make_once)  # type: ignore[method-assign, assignment]


def list_handlers_once() -> None:
    """Add what an application has got to the list of its handlers.

    The framework lists all of them anew for each that it adds.
    """
    handlers = Router.route_handler_method_map.fget
    assert handlers is not None
    last: tuple[Router | None, list[Any], dict[str, Any]] = (None, [], {})

    def listed(router: Router) -> dict[str, Any]:
        nonlocal last
        of, known, found = last
        if of is not router or router.routes[: len(known)] != known:
            known, found = [], {}
        if new := router.routes[len(known) :]:
            for path, by_method in handlers(SimpleNamespace(routes=new)).items():
                found[path] = found.get(path, {}) | by_method
            known += new
        last = (router, known, found)
        return found

    Router.route_handler_method_map = property(listed)  # type: ignore[method-assign, assignment]


def compile_templates_once() -> None:
    """Compile each text of a template once, not once for each application that shows it."""
    compile_text = Environment.compile
    compiled: dict[Hashable, Any] = {}

    def compile_once(
        environment: Environment,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        raw: bool = False,
        defer_init: bool = False,
    ) -> Any:
        if not isinstance(source, str) or raw:
            return compile_text(environment, source, name, filename, raw, defer_init)
        key = (
            *(source, name, filename, defer_init),
            *(environment.trim_blocks, environment.keep_trailing_newline),
            *(tuple(environment.extensions), frozenset(environment.filters)),
        )
        if key not in compiled:
            compiled[key] = compile_text(environment, source, name, filename, raw, defer_init)
        return compiled[key]

    Environment.compile = compile_once  # type: ignore[method-assign, assignment]


def read_catalogs_once() -> None:
    """Read the words of a language once for all applications that speak it."""
    read = GNUTranslations._parse  # type: ignore[attr-defined]
    known: dict[bytes, dict[str, Any]] = {}

    def read_once(translations: GNUTranslations, file: Any) -> None:
        catalog = file.read()
        if catalog not in known:
            read(translations, io.BytesIO(catalog))
            names = ("_catalog", "_charset", "_info", "plural")
            known[catalog] = {name: vars(translations)[name] for name in names}
        vars(translations).update(known[catalog])

    GNUTranslations._parse = read_once  # type: ignore[attr-defined]
