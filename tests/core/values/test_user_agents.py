"""Programs of servers are told from the browsers and apps of people."""

from itertools import product

from app.core.values.addresses import is_server_library
from tests.rows import every_row


@every_row(
    "user_agent",
    [
        "analytics-python/2.3.0",
        "analytics-node/6.2.0",
        "analytics-node-next/latest",
        "analytics-ruby/2.4.0",
        "analytics-go (version: 3.3.0)",
        "analytics-php/3.8.0",
        "python-requests/2.32.3",
        "Python/3.12 aiohttp/3.10.5",
        "Python-urllib/3.12",
        "Go-http-client/1.1",
        "axios/1.7.7",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "node",
        "undici",
        "curl/8.10.1",
        "Java/17.0.2",
        "Apache-HttpClient/4.5.14 (Java/17.0.2)",
        "GuzzleHttp/7",
        "WooCommerce/9.3.3 Hookshot (WordPress/6.6.2)",
        "Shopify-Captain-Hook",
        "PostmanRuntime/7.42.0",
        "Ruby",
        " PYTHON-REQUESTS/2.32.3",
        *(
            "python-urllib3/2.2.1",
            "Python_requests",
            "python-aiohttp/3",
            "node-superagent/3.8.3",
            "nodejs-http/1",
            "node-got",
        ),
        *(
            "Boto3/1.34 md/Botocore#1.34",
            "Boto3",
            "Botocore/1.34",
            "aws-sdk-nodejs/2.1692.0 linux/v20",
            "aws-sdk-java/2.2",
        ),
        *(
            "Laminas_Http_Client",
            "Laminas\\Http\\Client",
            "Zend\\Http\\Client",
            "HTTPClient/1.0 (2.8.3, ruby 3.3)",
            "HTTPClient",
        ),
        *(
            "PHP-Curl-Class/9.19 (+https://github.com/php-curl-class/php-curl-class)",
            "perl-lwp/6",
            "golang-x/1",
            "ruby-x",
        ),
    ],
)
def test_a_library_of_a_server_says_nothing_of_the_person(user_agent: str) -> None:
    assert is_server_library(user_agent)


@every_row(
    "user_agent",
    [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
        "okhttp/4.12.0",
        "Dalvik/2.1.0 (Linux; U; Android 14; SM-S918B Build/UP1A.231005.007)",
        "Shop/412 CFNetwork/1568.100.1 Darwin/24.0.0",
        "Dart/3.5 (dart:io)",
        "analytics-ios/4.1.8",
        "analytics-android/4.11.3",
        "analytics-kotlin/1.16.3",
        "Javelin/1.0",
        "nodemon/3",
        *(
            "Pythonista/3.4 CFNetwork/1568",
            "Rubyland/2",
            "PHPStorm/1",
            "Perlmutt-App/2",
            "HTTPClientApp/1",
            "Golango-1",
        ),
        *("aws-sdk-iOS/2.33", "aws-sdk-android/2.77", "aws-sdk-kotlin/1.3", "aws-sdk-swift/1.0", "Ktor client"),
        "Curly/1",
        "UA",
        "",
    ],
)
def test_browsers_and_apps_are_people(user_agent: str) -> None:
    assert not is_server_library(user_agent)


def test_segments_libraries_are_known_with_the_scope_that_npm_gives_them() -> None:
    scopes = ("", "@segment/", "@Segment/")
    languages = ("python", "node", "ruby", "go", "php", "java", "c#")
    ends = ("", "-next", "/2.1.0", "-next/latest", " (linux)")
    names = [f"{scope}analytics-{language}{end}" for scope, language, end in product(scopes, languages, ends)]
    assert [name for name in names if not is_server_library(name)] == []


def test_a_scope_before_anything_else_is_no_library() -> None:
    assert not is_server_library("@segment/curl/8")
    assert not is_server_library("@other/analytics-node/1")
