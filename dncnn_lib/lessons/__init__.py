"""A module for each lesson: its widgets and the figures that only it has. Its exercises' checks are
in the module of the same name in ``keys``, and are offered here.

A lesson imports its own module, and nothing else imports it: ``start`` (00), ``noise`` (01),
``building`` (03), ``training`` (04), ``residual`` (05), ``normalisation`` (06), ``blind`` (07),
``tasks`` (08), ``inside`` (09), ``clinic`` (10, 10b), ``photographs`` (11). Beside them are
``check``, which all checks are made of, and ``experiments``, the same training with one thing
changed.
"""
