"""User agents that name the program of a server and not the browser or app of a person."""

import re

#: What the programs call themselves at the beginning of their user agent, each up to a mark: by the sources of
#: Segment's and RudderStack's server libraries, and of the HTTP clients that such servers use. Not `okhttp`, `Dalvik`,
#: `CFNetwork` and `Dart`: apps send these.
_LIBRARIES = (
    r"(?:@segment/)?analytics-(?:python|node|ruby|go|php|java|perl|rust|elixir|net|dotnet|csharp|c#)(?:-next)?",
    r"analytics\.net|segment(?:\.io|\.analytics|io)?|rudder-(?:sdk-|server-|analytics-)?(?:python|node|ruby|go|php|java|net)",
    r"rudder-(?:server|transformer)|rudderlabs|rudderanalytics\.net",
    r"python|python-(?:requests|urllib|httpx)|requests|urllib3|aiohttp|httpx|tornado|twisted",
    r"go-http-client|go-resty|fasthttp|gohttp|axios|node-fetch|node|node\.js|undici|got|superagent|needle|bun|deno",
    r"curl|libcurl|pycurl|wget|httpie|postmanruntime|insomnia|paw|libwww-perl|lwp|mojolicious",
    r"java|java-http-client|apache-httpclient|apache-httpasyncclient|jakarta commons-httpclient|jersey|resttemplate",
    r"reactornetty|spring|unirest-java|vert\.x-webclient|akka-http|pekko-http|ahc|jetty|play",
    r"ruby|faraday|rest-client|http\.rb|typhoeus|httparty|mechanize|excon",
    r"php|guzzlehttp|guzzle|symfony httpclient|zend_http_client|wordpress|woocommerce|shopify-captain-hook|magento",
    r"restsharp|\.net|dotnet|refit|flurl|ureq|reqwest|hyper|hackney|req|finch|tesla|mint",
)
_SERVER_LIBRARY = re.compile(rf"(?:{'|'.join(_LIBRARIES)})(?=[/\s(;,]|$)", re.IGNORECASE)


def is_server_library(user_agent: str) -> bool:
    """Return whether a user agent is that of a server's library: it says nothing of the person.

    >>> is_server_library("analytics-node/2.1.0"), is_server_library("okhttp/4.12.0"), is_server_library("Javelin/1")
    (True, False, False)
    """
    return _SERVER_LIBRARY.match(user_agent.lstrip()) is not None
