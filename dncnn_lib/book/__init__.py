"""The course as a static site, made from the stored outputs of the notebooks: nothing is executed.

pages: what becomes of a notebook; building: the folder of sources, and Sphinx over it; site: how
the pages look.
"""
