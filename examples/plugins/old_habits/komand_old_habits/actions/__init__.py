from .average.action import Average
from .chatter.action import Chatter
from .refuse.action import Refuse
from .tangle.action import Tangle

__all__ = ["Average", "Chatter", "Refuse", "Tangle"]
