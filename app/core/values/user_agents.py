"""User agents that name the program of a server and not the browser or app of a person."""

import re

#: What programs call themselves at the beginning of their user agent, in lower case: by the sources of Segment's and
#: RudderStack's server libraries, and of the HTTP clients that such servers use. Not `okhttp`, `Dalvik`, `CFNetwork`
#: and `Dart`: apps send these.
_LANGUAGES = ("python", "node", "ruby", "go", "php", "java", "perl", "rust", "elixir", "net", "dotnet", "csharp", "c#")
_SERVER_LIBRARIES = frozenset(
    {
        *(f"analytics-{language}{after}" for language in _LANGUAGES for after in ("", "-next")),
        *(f"rudder-{kind}{language}" for kind in ("", "sdk-", "server-", "analytics-") for language in _LANGUAGES),
        *("analytics.net", "segment", "segment.io", "segment.analytics", "segmentio"),
        *("rudder-server", "rudder-transformer", "rudderlabs", "rudderanalytics.net"),
        *("python", "python-requests", "python-urllib", "python-httpx", "requests", "urllib3", "aiohttp", "httpx"),
        *("tornado", "twisted", "go-http-client", "go-resty", "fasthttp", "gohttp"),
        *("axios", "node-fetch", "node", "node.js", "undici", "got", "superagent", "needle", "bun", "deno"),
        *("curl", "libcurl", "pycurl", "wget", "httpie", "postmanruntime", "insomnia", "paw", "libwww-perl", "lwp"),
        *("mojolicious", "java", "java-http-client", "apache-httpclient", "apache-httpasyncclient", "jakarta"),
        *("jersey", "resttemplate", "reactornetty", "spring", "unirest-java", "vert.x-webclient", "akka-http"),
        *("pekko-http", "ahc", "jetty", "play", "ruby", "faraday", "rest-client", "http.rb", "typhoeus", "httparty"),
        *("mechanize", "excon", "php", "guzzlehttp", "guzzle", "symfony", "zend_http_client", "wordpress"),
        *("woocommerce", "shopify-captain-hook", "magento", "restsharp", ".net", "dotnet", "refit", "flurl"),
        *("boto3", "botocore", "aiobotocore", "aws-cli", "httpclient", "laminas_http_client", "laminas\\http\\client"),
        *("zend\\http\\client", "nodejs", "golang", "cpp-httplib", "zapier", "n8n"),
        # not of Android, iOS, Kotlin and Swift, whose are apps'
        *(
            f"aws-sdk-{language}"
            for language in (*_LANGUAGES, "nodejs", "js", "ruby2", "ruby3", "cpp", "go-v2", "java-v2")
        ),
        *("ureq", "reqwest", "hyper", "hackney", "req", "finch", "tesla", "mint"),
    }
)
#: `python-urllib3`, `node-superagent`, `php-curl-class`: languages that apps of people are not written in.
_LIBRARY_OF = re.compile(r"(?:python|node(?:js)?|ruby|php|perl|golang)[-_.]")
#: The first word, without the scope of npm that may stand before it: `@segment/analytics-node/2.1`.
_NAME = re.compile(r"\s*(?:@segment/(?=analytics-))?([^/\s(;,]*)", re.IGNORECASE)


def is_server_library(user_agent: str) -> bool:
    """Return whether a user agent is that of a server's library: it says nothing of the person.

    >>> is_server_library("analytics-node/2.1.0"), is_server_library("okhttp/4.12.0"), is_server_library("Javelin/1")
    (True, False, False)
    """
    name = _NAME.match(user_agent)
    word = name[1].lower() if name else ""
    return word in _SERVER_LIBRARIES or _LIBRARY_OF.match(word) is not None
