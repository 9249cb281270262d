"""The explorer: change the noise, and see what a method removes.

One front end over two engines:

- ``front/``     the page in plain JavaScript: controls, picture, plots, tour (``explorer.js`` says
  what it asks of an engine)
- ``kernel``     the engine in Python, for notebooks: ``view`` (settings in; pictures, numbers and
  code out), ``pace`` (how much computing a picture may take while the slider moves), ``page``
  (``Explorer``, which answers the page), ``front/kernel.js`` (the messages between them)
- ``web/``       the engine in the browser, and the static page that it makes
- ``export``     networks as ONNX files, for ``web``
- ``bundle``     JavaScript modules joined to one
- ``timing``     how long each part of an answer takes
"""
