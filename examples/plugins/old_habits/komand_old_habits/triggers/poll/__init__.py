from .trigger import Poll

__all__ = ["Poll"]
