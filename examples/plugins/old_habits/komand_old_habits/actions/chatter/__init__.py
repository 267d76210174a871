from .action import Chatter

__all__ = ["Chatter"]
