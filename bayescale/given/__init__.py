"""What a run may be given besides N, D and C, such as its experts or its learning rate."""

from bayescale.given.given import Given
from bayescale.given.registry import GIVEN, get_given

__all__ = ["GIVEN", "Given", "get_given"]
