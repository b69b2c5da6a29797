"""Masked ReLU networks of any depth: forward and backward passes, losses, batches, masks, training, fit records."""
