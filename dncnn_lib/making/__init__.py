"""How the networks in ``data/`` are made and measured: ``recipes``, ``run``, ``record``, ``card``,
``tables``; how the course is: ``notebooks``, their figures' texts; ``editions``, its exercises;
``course`` and ``grading``, for a class."""
