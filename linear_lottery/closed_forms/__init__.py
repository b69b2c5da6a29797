"""Closed forms for IMP in linear models, collected from the modules below.

They are formulas derived in this project for the phenomenon studied in Elesedy et al. 2020, computed with NumPy on the
CPU in float64; arrays from a GPU are copied. :data:`LABELS` says which function belongs to which statement of
docs/theory.
"""

from linear_lottery.closed_forms.accounting import (
    obs_saliency,
    prunes_like_obs,
    rss_bounds,
    rss_increase,
    threshold_loss_increase,
)
from linear_lottery.closed_forms.amplification import (
    equicorrelated_amplification,
    null_amplification,
    null_amplification_bound,
)
from linear_lottery.closed_forms.landscape import barrier, condition_numbers, gram_extremes, segment_excess
from linear_lottery.closed_forms.moments import fixed_mask_risk, one_shot_recovery_approximation, weight_moments
from linear_lottery.closed_forms.predictions import (
    oracle_error_bound,
    oracle_risk,
    prediction_bound,
    prediction_risk_bound,
    prediction_split,
)
from linear_lottery.closed_forms.probabilities import (
    asymptotic_transition,
    gaussian_recovery_probability,
    recovery_probability,
    threshold_recovery_probability,
    transition_amplitude,
)
from linear_lottery.closed_forms.ranking import equicorrelated_weights, population_weights, ranking_time, settling_time
from linear_lottery.closed_forms.risks import threshold_risk, top_m_risk, top_m_risk_asymptotic
from planted.base.doors import listing

__all__ = [
    "LABELS",
    "asymptotic_transition",
    "barrier",
    "condition_numbers",
    "equicorrelated_amplification",
    "equicorrelated_weights",
    "fixed_mask_risk",
    "gaussian_recovery_probability",
    "gram_extremes",
    "null_amplification",
    "null_amplification_bound",
    "obs_saliency",
    "one_shot_recovery_approximation",
    "oracle_error_bound",
    "oracle_risk",
    "population_weights",
    "prediction_bound",
    "prediction_risk_bound",
    "prediction_split",
    "prunes_like_obs",
    "ranking_time",
    "recovery_probability",
    "rss_bounds",
    "rss_increase",
    "segment_excess",
    "settling_time",
    "threshold_loss_increase",
    "threshold_recovery_probability",
    "threshold_risk",
    "top_m_risk",
    "top_m_risk_asymptotic",
    "transition_amplitude",
    "weight_moments",
]
__dir__ = listing(__all__)

LABELS: dict[str, tuple[str, ...]] = {
    "C4": ("condition_numbers", "gram_extremes"),
    "C5": ("barrier", "segment_excess"),
    "D2": ("ranking_time", "settling_time"),
    "D4": ("population_weights", "equicorrelated_weights"),
    "D8": ("null_amplification", "null_amplification_bound", "equicorrelated_amplification"),
    "D9": ("oracle_risk", "oracle_error_bound"),
    "D12": ("rss_increase", "rss_bounds", "obs_saliency", "threshold_loss_increase"),
    "D13": ("prediction_bound", "prediction_risk_bound"),
    "D14": ("prediction_split",),
    "E1": ("recovery_probability", "gaussian_recovery_probability", "asymptotic_transition", "transition_amplitude"),
    "E2": ("threshold_recovery_probability",),
    "E3": ("threshold_risk",),
    "E4": ("top_m_risk", "top_m_risk_asymptotic"),
    "E5": ("fixed_mask_risk",),
    "E6": ("weight_moments", "one_shot_recovery_approximation"),
    "E7": ("prunes_like_obs",),
}
"""Functions of each statement, by its label in docs/theory."""
