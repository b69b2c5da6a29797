"""Masked ReLU networks of any depth: passes, losses, batches, masks, training, and the record of a fit."""
