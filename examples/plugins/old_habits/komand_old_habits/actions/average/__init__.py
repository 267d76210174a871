from .action import Average

__all__ = ["Average"]
