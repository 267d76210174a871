from .poll.trigger import Poll

__all__ = ["Poll"]
