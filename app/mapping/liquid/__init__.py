"""`@liquid`, by python-liquid, set to behave like the LiquidJS that Segment uses."""

from app.mapping.liquid.template import build_liquid

__all__ = ["build_liquid"]
