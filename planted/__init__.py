"""Ground truth: sparse networks, linear models, inputs and data, and how far an answer is from them."""

from planted import datasets, designs
from planted.base import arrays
from planted.gated import gated_model
from planted.inputs import fourier_features, gaussian_inputs, pixel_coordinates
from planted.inr import INR_SOURCES, INRImage, inr_image, inr_source
from planted.kinks import KinkForm
from planted.linear import linear_model
from planted.matching import NetworkMatch, SupportMatch, match_networks, match_supports
from planted.networks import ReLUNetwork
from planted.release import release_frequencies, release_instance
from planted.sampling import sparse_network

__all__ = [
    "INR_SOURCES",
    "INRImage",
    "KinkForm",
    "NetworkMatch",
    "ReLUNetwork",
    "SupportMatch",
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
]
