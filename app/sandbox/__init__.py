"""A stand-in for Pinterest's endpoint that judges as strictly as Pinterest's schema, for demo and tests."""

from app.sandbox.ads_api import Account
from app.sandbox.endpoint import create_sandbox
from app.sandbox.judge import judge

__all__ = ["Account", "create_sandbox", "judge"]
