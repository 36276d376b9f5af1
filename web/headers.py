"""Headers of a site: isolation, and a policy that keeps prompts on the device."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.options import SiteOptions

# Features of browsers that the page has no use for. Only names that browsers know: they complain
# of others.
DENIED = (
    "accelerometer",
    "bluetooth",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
    "xr-spatial-tracking",
)

IMMUTABLE = "public, max-age=31536000, immutable"  # the name changes with the content
REVALIDATE = "no-cache"  # may be stored, must be asked for every time


def content_security_policy(origins: Sequence[str] = (), *, in_page: bool = False) -> str:
    """The policy of a site that may talk to `origins` beside its own.

    `in_page`: for <meta http-equiv>, where browsers do not heed frame-ancestors and complain of it.
    """
    rules = [
        "default-src 'none'",
        # 'wasm-unsafe-eval' lets WebAssembly be compiled, and nothing else.
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        " ".join(["connect-src 'self'", *origins]),
        "style-src 'self'",
        "img-src 'self' data:",  # data: images are the page's icons
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        # No text becomes script or HTML but through these: DOMPurify's, which makes answers' HTML
        # harmless, and two that know the addresses of the site's own workers alone.
        "require-trusted-types-for 'script'",
        "trusted-types dompurify webkiln-engine webkiln-page",
    ]
    return "; ".join(rules if in_page else [*rules, "frame-ancestors 'none'"])


def security_headers(options: SiteOptions) -> dict[str, str]:
    """What every answer of the site carries."""
    shared = {
        "Access-Control-Allow-Origin": "*",
        # What tells whether the rest of a file that was cut off is of the same file.
        "Access-Control-Expose-Headers": "Content-Range, ETag",
    }
    return {
        # Together these two make the page cross-origin isolated: SharedArrayBuffer, precise timers.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "cross-origin" if options.shared else "same-origin",
        "Content-Security-Policy": content_security_policy(options.origins),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in DENIED),
        **(shared if options.shared else {}),
    }


class SecurityHeaders:
    """Adds a site's headers to whatever the application answers."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
