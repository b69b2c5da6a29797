"""The matplotlib style of the pictures in the gallery and the tutorials."""

STYLE = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 10,
    "legend.frameon": False,
}


def reset(gallery_conf, fname):
    """Set the style before each example, so that changes made by one example do not affect the next."""
    import matplotlib

    matplotlib.rcParams.update(STYLE)
