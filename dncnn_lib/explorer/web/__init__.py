"""The explorer without Python: one folder of files that any browser opens, from a server or a disk.

``python -m dncnn_lib.explorer.web FOLDER`` makes it (``build``); npm is needed for that once, for
onnxruntime-web. The modules, from the outside in:

- ``main.js``      the page: the front end (``../front``) over this engine
- ``engine.js``    the engine: quick answer, full answer, stale answers
- ``pool.js``, ``worker.js``  workers that restore strips of a picture
- ``restore.js``   one strip degraded and restored: what ``view.explore`` gives
- ``degrade.js``, ``random.js``, ``jpeg.js``, ``resize.js``, ``camera.js``  as in Python, by seed
- ``priors.js``, ``measures.js``, ``image.js``, ``code.js``  the rest of what Python's modules do
- ``assets.js``    pictures, networks and the runtime, as scripts
"""
