"""A stand-in for Pinterest's endpoint that judges as strictly as Pinterest's schema, for demo and tests."""

from app.sandbox.judge import judge
from app.sandbox.server import Account, create_sandbox

__all__ = ["Account", "create_sandbox", "judge"]
