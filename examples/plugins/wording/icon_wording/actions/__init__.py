from .count.action import Count

__all__ = ["Count"]
