from .action import Tangle

__all__ = ["Tangle"]
