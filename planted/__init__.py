"""Ground truth: sparse networks, linear models, inputs and data, and how far an answer is from them."""

from planted import arrays
from planted.gated import gated_model
from planted.kinks import KinkForm
from planted.matching import NetworkMatch, SupportMatch, match_networks, match_supports
from planted.networks import ReLUNetwork, sparse_network
from planted.release import release_frequencies, release_instance

__all__ = [
    "KinkForm",
    "NetworkMatch",
    "ReLUNetwork",
    "SupportMatch",
    "arrays",
    "gated_model",
    "match_networks",
    "match_supports",
    "release_frequencies",
    "release_instance",
    "sparse_network",
]
