"""Ground truth: sparse networks, linear models, inputs, data sets, and the distance of a result from the truth.

The public names are those that ``dir(planted)`` lists, and those that its modules `arrays`, `datasets` and `designs`
list in turn. Other modules may change at any time.
"""

from typing import TYPE_CHECKING

from planted.base.doors import door

if TYPE_CHECKING:
    from planted import datasets, designs
    from planted.base import arrays
    from planted.gated import GatedModel, gated_model
    from planted.inputs import fourier_features, gaussian_inputs, pixel_coordinates
    from planted.inr import INR_SOURCES, INRImage, inr_image, inr_source
    from planted.kinks import KinkForm
    from planted.linear import LinearModel, linear_model
    from planted.matching import NetworkMatch, SupportMatch, match_networks, match_supports
    from planted.networks import ReLUNetwork
    from planted.pairs import TaskPair, task_pair
    from planted.release import ReleaseInstance, release_frequencies, release_instance
    from planted.sampling import sparse_network

    __version__: str

__all__ = [
    "INR_SOURCES",
    "GatedModel",
    "INRImage",
    "KinkForm",
    "LinearModel",
    "NetworkMatch",
    "ReLUNetwork",
    "ReleaseInstance",
    "SupportMatch",
    "TaskPair",
    "arrays",
    "datasets",
    "designs",
    "fourier_features",
    "gated_model",
    "gaussian_inputs",
    "inr_image",
    "inr_source",
    "linear_model",
    "match_networks",
    "match_supports",
    "pixel_coordinates",
    "release_frequencies",
    "release_instance",
    "sparse_network",
    "task_pair",
]

_PLACES = {
    "planted.base": "arrays",
    "planted.gated": "GatedModel gated_model",
    "planted.inputs": "fourier_features gaussian_inputs pixel_coordinates",
    "planted.inr": "INR_SOURCES INRImage inr_image inr_source",
    "planted.kinks": "KinkForm",
    "planted.linear": "LinearModel linear_model",
    "planted.matching": "NetworkMatch SupportMatch match_networks match_supports",
    "planted.networks": "ReLUNetwork",
    "planted.pairs": "TaskPair task_pair",
    "planted.release": "ReleaseInstance release_frequencies release_instance",
    "planted.sampling": "sparse_network",
}
"""The module that defines each name above; it is imported on first use."""
if not TYPE_CHECKING:  # type checkers must still report a misspelt name
    __getattr__, __dir__ = door(__name__, _PLACES, modules="datasets designs")
