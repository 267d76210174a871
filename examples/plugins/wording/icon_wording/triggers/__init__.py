from .repeat.trigger import Repeat

__all__ = ["Repeat"]
