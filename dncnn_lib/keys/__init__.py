"""The keys: for each lesson the checks of its exercises, with what is right and what goes wrong.

A lesson's module finds its own in the module of the same name here (``lessons.check.from_keys``).
The copy that students of a class install goes without this folder.
"""
