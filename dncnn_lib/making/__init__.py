"""How the networks in ``data/`` are made and measured: ``recipes``, ``run``, ``record``, ``card``,
``tables``; ``notebooks``: their figures' texts."""
