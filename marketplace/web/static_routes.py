"""Serves the static files of `assets.py`."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from marketplace.errors import NotFound
from marketplace.web.access import access
from marketplace.web.assets import load_assets

FOR_A_YEAR = "public, max-age=31536000, immutable"


@get(
    "/static/{digest:str}/{path:path}",
    opt=access(public=True),
    include_in_schema=False,
    sync_to_thread=False,
)
def static_file(
    digest: FromPath[str], path: FromPath[str], request: Request[Any, Any, Any]
) -> Response[bytes]:
    """A style sheet, script, font or drawing.

    Under the address of this version browsers keep it for a year. A page that was opened before a
    new version came still gets its file, to be asked for again next time.
    """
    assets = load_assets()
    asset = assets.get(path.lstrip("/"))
    if asset is None:
        raise NotFound
    headers = {
        "Cache-Control": FOR_A_YEAR if digest == assets.digest else "no-cache",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Vary": "Accept-Encoding",
    }
    body = asset.body
    if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body = asset.gzipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=asset.media_type, headers=headers)


routes = [static_file]
