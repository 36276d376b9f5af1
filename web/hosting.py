"""What hosts of static files want beside the site: headers, in each one's own way of saying so."""

from __future__ import annotations

from web.headers import IMMUTABLE, REVALIDATE, security_headers
from web.site import Site

TEMPLATES = {
    "_headers": "_headers",
    "hosting/nginx.conf": "nginx.conf",
    "hosting/README.txt": "README.txt",
}


def hosting_files(site: Site) -> dict[str, bytes]:
    """By path below the site."""
    values = {
        "base_path": site.options.base_path,
        "headers": security_headers(site.options),
        "immutable": IMMUTABLE,
        "revalidate": REVALIDATE,
    }
    made = {path: site.render(template, **values) for path, template in TEMPLATES.items()}
    return {**made, ".nojekyll": b""}
