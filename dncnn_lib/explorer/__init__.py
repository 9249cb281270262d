"""The explorer: move the noise, see what a network does.

- ``view``  pure functions: from settings to pictures, numbers and code
- ``pace``  how much work a picture may be while a hand is on the slider
- ``page``  the controls, and what happens when they move
- ``stage`` the picture itself, in the browser: swipe, pan, zoom, upload (``stage.js``, ``.css``)
"""

from .page import Explorer
from .view import Region, Setting, explore

__all__ = ["Explorer", "Region", "Setting", "explore"]
