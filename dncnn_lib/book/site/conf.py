"""Settings of Sphinx for the book."""

project = "Learn how deep networks remove noise"
author = "the authors of dncnn-course"
extensions = ["myst_nb"]
mathjax_path = "tex-svg.js"  # building.py puts it there
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # pages are fetched for it, which a disk does not allow
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

nb_execution_mode = "off"
nb_merge_streams = True
nb_cell_metadata_key = "mystnb"
nb_render_image_options = {"align": "left"}
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3


def name_levels(app, page, template, context, doctree):
    """Captions of the list of pages are headings, and Sphinx does not say of which level."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def setup(app):
    app.connect("html-page-context", name_levels, priority=900)
