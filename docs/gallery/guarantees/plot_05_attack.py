"""
A counter-example to a false theorem
====================================

The attack searches for an instance on which the hypotheses hold and the conclusion fails, and then makes it smaller.
"""

import matplotlib.pyplot as plt
import numpy as np

from recovery import Instance
from recovery.conditions import mutual_coherence
from recovery.guarantees import Guarantee, attack, exceeds, shrink


def first_pick(instance):
    like = np.abs(instance.matrix.T @ instance.y) / np.linalg.norm(instance.matrix, axis=0)
    return exceeds(like[instance.support].max(), np.delete(like, instance.support).max(), "on against off the support")


def draw(rng):
    A = np.eye(4) + rng.uniform(-0.5, 0.5, (4, 4))
    return Instance.planted(A, np.array([1.0, rng.choice([-1.0, 1.0]), 0, 0]))


def small_coherence(instance):
    return exceeds(0.5, mutual_coherence(instance.matrix), "1/2 exceeds mu")


claim = "coherence < 1/2 => the column most correlated with y is in the support of size 2"
bold = Guarantee("bold", "implication", claim, "nowhere", "none", small_coherence, first_pick, sampler=draw)
found = attack(bold, evaluations=5000, rng=0)
print(found)
small = shrink(bold, found.instance, evaluations=300)

figure, panel = plt.subplots(figsize=(4.5, 3.4))
image = panel.imshow(small.matrix, cmap="RdBu", vmin=-1.5, vmax=1.5)
panel.set(title="The matrix of the counter-example", xlabel="column", ylabel="row")
figure.colorbar(image, label="entry")
