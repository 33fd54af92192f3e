"""A simulation of Pinterest's endpoint that is as strict as Pinterest's schema, for demo and tests."""

from app.sandbox.ads_api import Account
from app.sandbox.endpoint import create_sandbox
from app.sandbox.judge import judge

__all__ = ["Account", "create_sandbox", "judge"]
