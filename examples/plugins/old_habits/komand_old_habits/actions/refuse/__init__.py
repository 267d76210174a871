from .action import Refuse

__all__ = ["Refuse"]
