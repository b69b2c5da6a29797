"""Settings of the documentation site; ``make docs`` builds it into ``docs/_build/html``."""

import sys
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent))

import recovery  # noqa: E402

project = "sparse-recovery-lab"
author = "The sparse-recovery-lab developers"
copyright = author
version = release = recovery.__version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "plain_docstrings",
    "public_names",
    "executed_pages",
]
root_doc = "index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext", "gallery/**", "certificates", "**/README.md"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(abc|enum|sklearn|numpy|scipy|hypothesis|tests)\..*")
]  # not ours, or not on this site
highlight_language = "text"
default_role = "backticks"
suppress_warnings = [
    "config.cache",  # the order of the gallery is an object, which has no place in the cache
]

# Markdown: headings get the anchors that a code host gives them, and links to anchors are checked
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "attrs_block", "attrs_inline"]

# Reference
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
viewcode_line_numbers = True

# Tutorials: their code is run, and what it prints and draws stands below it
executed = ["tutorials/*"]

# Gallery: an example is run again only when its source has changed
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"__init__",
    "subsection_order": ExplicitOrder(
        [
            "gallery/sparse_recovery",
            "gallery/networks",
            "gallery/pruning",
            "gallery/linear_models",
            "gallery/guarantees",
        ]
    ),
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 3,
    "remove_config_comments": True,
    "plot_gallery": True,
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "image_scrapers": ("matplotlib",),
    "capture_repr": (),
    "show_signature": False,
    "copyfile_regex": "",
    "matplotlib_animations": False,
    "reset_modules": ("matplotlib", "gallery_style.reset"),
    "doc_module": ("recovery", "linear_lottery", "planted", "figures", "paper_repro"),
    "backreferences_dir": "generated/backreferences",
    "inspect_global_variables": False,
}

# Pages
html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": project},
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "article_header_start": ["breadcrumbs"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
html_sidebars = {"index": [], "faq": [], "cite": [], "changes": []}


def setup(app):
    """Give formulas of the derivations, which a test evaluates, a lexer that leaves them as they are."""
    from pygments.lexers.special import TextLexer

    for name in ("formula", "population"):
        app.add_lexer(name, TextLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
