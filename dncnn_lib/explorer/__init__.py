"""The explorer: change the noise, and see what a method removes.

- ``view``   settings in; pictures, numbers and code out; loads no widgets
- ``pace``   how much computing a picture may take while the slider moves
- ``page``   ``Explorer``: the controls, and what happens when they change
- ``stage``  the picture in the browser: swipe, pan, zoom, upload (``stage.js``, ``stage.css``)
- ``timing`` how long each part of an answer takes
"""
