"""The script with which a shop's pages send to a source, to copy."""

from starlette.requests import Request
from starlette.responses import Response

from app.console.pages import PageGroup
from app.console.pinterest_page import TagCheckPages
from app.source.browser import shopify_pixel


class PixelPages(PageGroup):
    """The page with the custom pixel of each source with a page key."""

    async def show(self, request: Request) -> Response:
        """Show the pixels, with the address of Pinrelay and the key of each source."""
        hosts = self._services.settings.public_hosts
        here = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
        host = f"https://{hosts[0]}" if hosts else here
        pixels = {
            name: shopify_pixel(host, name, source.page_keys[0].decode())
            for name, source in self._services.sources().items()
            if source is not None and source.has_page_key
        }
        report = await TagCheckPages(self._services, self._pages).report()
        twice = [line for line in report.lines if line.estimated_twice]
        return self._pages.render(request, "pixel.html", obeys=(), nav="pixel", pixels=pixels, twice=twice)
