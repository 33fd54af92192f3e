"""All settings: read them once with `load_settings`; each package uses a class of them."""

from app.config.settings import FOLLOWED, MIN_SECRET_CHARACTERS, Settings, doubtful_variables, load_settings

__all__ = ["FOLLOWED", "MIN_SECRET_CHARACTERS", "Settings", "doubtful_variables", "load_settings"]
