"""All settings: read them with `load_settings`, once; each room takes a class of them."""

from app.config.settings import FOLLOWED, MIN_SECRET_CHARACTERS, Settings, doubtful_variables, load_settings

__all__ = ["FOLLOWED", "MIN_SECRET_CHARACTERS", "Settings", "doubtful_variables", "load_settings"]
