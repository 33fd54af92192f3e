"""`pinrelay sources-pixel`: the script with which a shop's pages send to a source."""

from typing import Annotated, Literal

import typer

from app import assemble
from app.commands.terminal import AsJson, print_json
from app.config import load_settings
from app.core.log import log_secrets_kept
from app.core.values.texts import visible
from app.errors import SettingsError
from app.source.browser import shopify_pixel


def sources_pixel(
    shop: Annotated[Literal["shopify"], typer.Argument(help="Kind of the shop.")],
    *,
    source: Annotated[str, typer.Option(help="Name of the source, if it is a copy.")] = "shopify_pixel",
    url: Annotated[
        str, typer.Option(help="Address of Pinrelay, such as https://events.example.com. Default: by PUBLIC_HOSTS.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Print the custom pixel of a shop, with the address of Pinrelay and the key of the source.

    Paste the pixel into Shopify: Settings, Customer events, Add custom pixel.

    Example: pinrelay sources-pixel shopify --url https://events.example.com
    """
    settings = load_settings()
    running = assemble.running_sources(settings, on_fault=log_secrets_kept)
    found = running.sources.get(source) if running else None
    if found is None or not found.has_page_key:
        raise SettingsError(f"SOURCES: no source {source} with a key is on: add {source} to SOURCES, and set its key")
    host = url or next((f"https://{each}" for each in settings.public_hosts), "")
    if not host.startswith(("https://", "http://")):
        raise SettingsError("PUBLIC_HOSTS: name the host of your events, or give --url https://events.example.com")
    script = shopify_pixel(host.rstrip("/"), source, found.page_keys[0].decode())
    if as_json:
        print_json({"shop": shop, "source": source, "pixel": script})
    else:
        typer.echo(visible(script, lines=True), nl=False)
