"""`pinrelay sources-pixel`: the pixel, or what keeps it from being printed."""

import json
import shutil
from pathlib import Path

from tests.commands.conftest import Run
from tests.process import ROOT
from tests.rows import every_row

ON = {"SOURCES": "shopify_pixel", "SHOPIFY_PIXEL_KEY": "key of a 'page' & more", "SOURCES_DIR": str(ROOT / "sources")}
IN_ADDRESS = "key%20of%20a%20%27page%27%20%26%20more"


@every_row(
    ("url", "hosts", "host"),
    [
        ("https://e.example/", "", "https://e.example"),
        ("http://127.0.0.1:8080", "t.shop.example", "http://127.0.0.1:8080"),
        ("", "t.shop.example,u.shop.example", "https://t.shop.example"),
    ],
)
def test_it_prints_the_pixel_with_address_and_key(run: Run, url: str, hosts: str, host: str) -> None:
    given = ("sources-pixel", "shopify", *(("--url", url) if url else ()))
    printed = run(*given, **ON, PUBLIC_HOSTS=hosts or None)
    assert printed.exit_code == 0, printed.output
    template = (ROOT / "app/source/shopify_pixel.js").read_text(encoding="utf-8")
    address = f'"{host}/webhook/shopify_pixel?key={IN_ADDRESS}"'
    assert printed.stdout == template.replace("'https://events.example.com/webhook/shopify_pixel?key=KEY'", address)
    assert address in printed.stdout
    assert len(printed.stdout.splitlines()) <= 120
    told = json.loads(run(*given, "--json", **ON, PUBLIC_HOSTS=hosts or None).stdout)
    assert told == {"shop": "shopify", "source": "shopify_pixel", "pixel": printed.stdout}


def test_a_second_shop_has_a_pixel_of_its_own(run: Run, tmp_path: Path) -> None:
    text = (ROOT / "sources/shopify_pixel.yaml").read_text(encoding="utf-8")
    (tmp_path / "shop_us.yaml").write_text(text.replace("name: shopify_pixel", "name: shop_us"), encoding="utf-8")
    shutil.copy(ROOT / "sources/shopify_pixel.yaml", tmp_path)
    given = {"SOURCES_DIR": str(tmp_path), "SOURCES": "shop_us", "SHOPIFY_PIXEL_KEY": "k1"}
    printed = run("sources-pixel", "shopify", "--source", "shop_us", "--url", "https://e.example", **given)
    assert '"https://e.example/webhook/shop_us?key=k1"' in printed.stdout


@every_row(
    ("options", "changes", "told"),
    [
        ((), {}, "PUBLIC_HOSTS: name the host of your events, or give --url https://events.example.com"),
        (("--url", "e.example"), {}, "PUBLIC_HOSTS: name the host"),
        (("--source", "shopify"), {}, "SOURCES: no source shopify with a key is on: add shopify to SOURCES"),
        ((), {"SOURCES": None, "SOURCES_DIR": None}, "add shopify_pixel to SOURCES, and set its key"),
        ((), {"SHOPIFY_PIXEL_KEY": None}, "is missing: set SHOPIFY_PIXEL_KEY or SHOPIFY_PIXEL_KEY_FILE"),
    ],
)
def test_it_says_what_is_missing(run: Run, options: tuple[str, ...], changes: dict[str, str | None], told: str) -> None:
    failed = run("sources-pixel", "shopify", *options, **ON | changes)
    assert failed.exit_code == 1
    assert told in str(failed.exception)
