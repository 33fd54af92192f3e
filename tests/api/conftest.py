"""What the tests of /api share."""

from tests.web.conftest import tuned_back

__all__ = ["tuned_back"]
